/** A line, and what belongs beneath it. */
export interface Branch {
  readonly text: string
  readonly branches: readonly Branch[]
}

export const leaf = (text: string): Branch => ({ text, branches: [] })

/** The lines of a tree, as `tree` prints one. */
export function renderTree({ text, branches }: Branch): string[] {
  return [
    printable(text),
    ...branches.flatMap((branch, index) => {
      const isLast = index === branches.length - 1
      const [first = '', ...rest] = renderTree(branch)
      return [`${isLast ? '└─' : '├─'} ${first}`, ...rest.map((line) => `${isLast ? '  ' : '│ '} ${line}`)]
    }),
  ]
}

/** What a subgraph recorded may be anything: nothing of it is a command to the terminal. */
const printable = (text: string) => text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?')
