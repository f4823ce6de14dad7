// Pages for people: plain HTML without scripts. All text that is not ours goes through `escapeText`.

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** For text and attributes of HTML and XML. Control characters, which XML cannot hold, become a question mark. */
export function escapeText(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[&<>"']/g, (char) => escapes[char] as string).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '?')
}

/** `body` is HTML already. */
export function htmlPage(title: string, body: string): string {
  const name = escapeText(title)
  return `<!DOCTYPE html>\n<html>\n<head><meta charset="utf-8"><title>${name}</title></head>\n<body>\n<h1>${name}</h1>\n${body}</body>\n</html>\n`
}
