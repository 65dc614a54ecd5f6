import { createHash } from 'node:crypto'
import { type FSWatcher, watch } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout } from 'node:timers/promises'

/** Milliseconds after which a file that changed is looked at once more: whoever writes it may not be done. */
const settleMs = 50
/** Milliseconds after which it is looked at though nobody said that it changed: not every file system tells. */
const lookEveryMs = 5000

/**
 * Tells when a file has other bytes than before, and has them for a moment. Its folder is watched, since a file may be
 * replaced by another of its name, or be behind a link that comes to point elsewhere (Kubernetes ConfigMaps).
 *
 * @param options.known - base64url SHA-256 of the bytes that are known already; `none` where there is no file.
 * @returns how to end it
 */
export function watchContent(
  path: string,
  {
    known: knownFirst,
    changed,
    pause = () => setTimeout(settleMs, undefined, { ref: false }),
  }: {
    readonly known: string
    readonly changed: () => void
    /** For as long as a writer may be writing. */
    readonly pause?: () => Promise<void>
  },
): () => void {
  let known = knownFirst
  let isLooking = false
  let wasTold = false
  const ended = new AbortController()

  const digest = () =>
    readFile(path).then(
      (bytes) => createHash('sha256').update(bytes).digest('base64url'),
      () => 'none',
    )

  async function look(): Promise<void> {
    wasTold = true
    if (isLooking) return
    isLooking = true
    while (wasTold && !ended.signal.aborted) {
      wasTold = false
      let seen = await digest()
      if (seen === known) continue
      for (let before = ''; seen !== before && !ended.signal.aborted; seen = await digest()) {
        before = seen
        await pause()
      }
      if (seen === known || ended.signal.aborted) continue
      known = seen
      changed()
    }
    isLooking = false
  }

  const watcher = watchFolder(dirname(path), () => void look())
  const timer = setInterval(() => void look(), lookEveryMs).unref()
  return () => {
    ended.abort()
    watcher?.close()
    clearInterval(timer)
  }
}

/** Null where it cannot be watched: then the file is still looked at from time to time. */
function watchFolder(path: string, changed: () => void): FSWatcher | null {
  try {
    const watcher = watch(path, { persistent: false }, changed)
    return watcher.on('error', () => watcher.close())
  } catch {
    return null
  }
}
