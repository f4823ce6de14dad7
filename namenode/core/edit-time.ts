// The time that an edit gets: the clock's, but never before the edit in front of it, also over a restart. A clock that is set back
// a little (a correction, a leap second, another time server) so makes no file older than its directory's last change.
//
// A clock that is set back by more than a day was wrong before: it is believed, since the alternative is a namespace whose times
// stand still until the wrong date has come. Order in the log is the transaction id's business and never the time's.

const correctionMs = 24 * 3_600_000

export function editTime(lastMs: number, nowMs: number): number {
  return nowMs >= lastMs || lastMs - nowMs > correctionMs ? nowMs : lastMs
}
