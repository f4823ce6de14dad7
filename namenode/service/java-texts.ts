// Texts as Java prints them, for what operators compare with HDFS's.

const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB', 'EB']
const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** '24610(24.03 KB)': StringUtils.byteDesc behind the number. */
export function binaryBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024
  return `${bytes}(${unit === 0 ? value : value.toFixed(2)} ${units[unit]})`
}

/** 'Sun Nov 22 20:33:29 UTC 2026': java.util.Date.toString in UTC. */
export function javaDate(ms: number): string {
  const date = new Date(ms)
  const two = (value: number) => String(value).padStart(2, '0')
  const time = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(':')
  return `${days[date.getUTCDay()]} ${months[date.getUTCMonth()]} ${two(date.getUTCDate())} ${time} UTC ${date.getUTCFullYear()}`
}
