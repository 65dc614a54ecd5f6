import { AppError } from '@behalf/identity'

/**
 * The result of `work`, unless that takes too long or nobody waits for it any more.
 *
 * @throws {AppError} `UNAVAILABLE`
 */
export function unlessStopped<T>(work: Promise<T>, afterMs: number, gone: AbortSignal | null): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const stop = (cause: string) => reject(new AppError('UNAVAILABLE', undefined, { cause }))
  const leave = () => stop('the caller has gone')
  const timer = setTimeout(() => stop(`not answered in ${Math.round(afterMs)} ms`), afterMs)
  gone?.addEventListener('abort', leave, { once: true })
  if (gone?.aborted) leave()
  const settled = () => {
    clearTimeout(timer)
    gone?.removeEventListener('abort', leave)
  }
  promise.then(settled, settled)
  void work.then(resolve, reject)
  return promise
}
