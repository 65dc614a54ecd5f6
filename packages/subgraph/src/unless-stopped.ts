import { AppError } from '@behalf/identity'

/**
 * The result of `work`, unless that takes too long or nobody waits for it any more.
 *
 * @throws {AppError} `UNAVAILABLE`
 */
export async function unlessStopped<T>(work: Promise<T>, afterMs: number, gone: AbortSignal | null): Promise<T> {
  const stopped = Promise.withResolvers<never>()
  const stop = (cause: string) => () => stopped.reject(new AppError('UNAVAILABLE', undefined, { cause }))
  const leave = stop('the caller has gone')
  const timer = setTimeout(stop(`not answered in ${Math.round(afterMs)} ms`), afterMs)
  gone?.addEventListener('abort', leave, { once: true })
  if (gone?.aborted) leave()
  try {
    return await Promise.race([work, stopped.promise])
  } finally {
    clearTimeout(timer)
    gone?.removeEventListener('abort', leave)
  }
}
