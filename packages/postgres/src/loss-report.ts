/** Counts what was lost, and says so at most once in `everyMs`. */
export interface LossReport {
  add(count: number, cause: unknown): void
  listen(listener: LossListener): void
  /** Says the rest. */
  end(): void
}

export type LossListener = (count: number, cause: unknown) => void

export function createLossReport(everyMs: number): LossReport {
  let listener: LossListener | undefined
  let lost = 0
  let reason: unknown
  let timer: NodeJS.Timeout | undefined

  function report(): void {
    timer = undefined
    if (lost === 0) return
    const count = lost
    lost = 0
    timer = setTimeout(report, everyMs).unref()
    listener?.(count, reason)
  }

  return {
    add(count, cause) {
      lost += count
      reason = cause
      if (timer === undefined) report()
    },
    listen(next) {
      listener = next
    },
    end() {
      clearTimeout(timer)
      report()
      clearTimeout(timer)
    },
  }
}
