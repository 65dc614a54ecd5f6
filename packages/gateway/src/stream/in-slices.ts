/** How many are seen to at once, before others may work: some milliseconds, where each is the end of a stream. */
const slice = 25

/** Sees to each of many, some at a time: whatever else this process does goes on in between. The first of them are seen to at once. */
export function inSlices<T>(all: Iterable<T>, work: (one: T) => void): void {
  const left = all[Symbol.iterator]()
  const go = () => {
    for (let count = 0; count < slice; count++) {
      const { value, done } = left.next()
      if (done) return
      work(value)
    }
    setImmediate(go)
  }
  go()
}
