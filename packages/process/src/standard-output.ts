import type { DestinationStream } from 'pino'

/** Bytes that wait for whoever reads; what comes then is lost. */
const mostWaiting = 1_048_576
/** For what a slow reader has still to read at the end. */
const flushMs = 2000

let broken = false
let lost = 0

/**
 * Lines for whoever reads standard output. They are never waited for: a process that writes them synchronously, as pino
 * does by default, stands still once a reader does not read on, and with it all that it does, signals included.
 */
export const standardOutput: DestinationStream = {
  write(line) {
    if (broken) return
    if (process.stdout.writableLength > mostWaiting) return void lost++
    // Nobody is there any more: that is no reason to end.
    if (process.stdout.listenerCount('error') === 0) process.stdout.on('error', () => (broken = true))
    if (lost > 0)
      process.stdout.write(`${JSON.stringify({ level: 'warn', lost, msg: 'log lines lost: nobody read' })}\n`)
    lost = 0
    process.stdout.write(line)
  },
}

/** Ends the process once what it wrote was taken, or two seconds later. */
export function exitFlushed(code: number): Promise<never> {
  const exit = () => process.exit(code)
  const isFlushed = () => process.stdout.writableLength === 0 && process.stderr.writableLength === 0
  if (isFlushed()) exit()
  setTimeout(exit, flushMs)
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('drain', () => {
      if (isFlushed()) exit()
    })
  }
  return new Promise(() => undefined)
}
