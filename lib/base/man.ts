// A manual page (man(7)) of the description that --help prints. Pure.

import { exitsOf } from './description.ts'
import type { Description } from './description.ts'

/** `of` is the version of the program, which stands at the foot of the page. */
export function manualPage(description: Description, of: string): string {
  const { name, usage, about, options = {}, environment = {} } = description
  const page = name.replaceAll(' ', '-')
  const [first, ...rest] = about.trim().split('\n\n')
  const flags = Object.entries(options).map(([flag, { alias, value, type, about }]): [string, string] => {
    const names = [...(alias ? [`-${alias}`] : []), `--${flag}`].join(', ')
    return [`${names}${type !== 'boolean' ? ` ${value ?? 'VALUE'}` : ''}`, about]
  })
  return [
    `.TH ${roff(page.toUpperCase())} 1 "" "BASS ${roff(of)}" "BASS"`,
    '.SH NAME',
    `${roff(page)} \\- ${roff(unfinished(first!))}`,
    '.SH SYNOPSIS',
    `.B ${roff(name)}`,
    ...(usage === '' ? [] : [roff(usage)]),
    '.SH DESCRIPTION',
    ...[first!, ...rest].flatMap((paragraph, i) => [...(i > 0 ? ['.PP'] : []), roff(paragraph)]),
    ...list('OPTIONS', flags),
    ...list('ENVIRONMENT', Object.entries(environment)),
    ...list('EXIT STATUS', Object.entries(exitsOf(description))),
    '',
  ].join('\n')
}

function list(title: string, rows: readonly [string, string][]): string[] {
  if (rows.length === 0) return []
  return [`.SH ${title}`, ...rows.flatMap(([term, about]) => ['.TP', `.B ${roff(term)}`, roff(about)])]
}

/** The NAME line has a phrase of one line, not a sentence. */
const unfinished = (sentence: string) => sentence.replaceAll('\n', ' ').replace(/\.$/, '')

/** Text as roff reads it: no backslash, dash or leading dot means anything else. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/gm, '\\&')
}
