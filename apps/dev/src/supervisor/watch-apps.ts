import { existsSync, watch } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { App } from '@behalf/composition'
import { changedFiles, readAppFiles, type AppFile, type AppFiles } from './app-files.ts'

/** Milliseconds for an editor, or a checkout, to write the other files. */
const settleMs = 50
/** Milliseconds after which files are looked at though nobody said that they changed: not every file system tells. */
const lookEveryMs = 1000

export interface WatchOptions {
  readonly root: string
  /** Those that run. */
  readonly apps: readonly App[]
  readonly changed: (files: readonly AppFile[]) => void
  /** An app that was not there at the start, relative to the root. */
  readonly appeared: (directory: string) => void
}

/** Tells of files of the apps that have another content than before, once they have it for a moment; until disposed. */
export async function watchApps({ root, apps, changed, appeared }: WatchOptions): Promise<Disposable> {
  const folder = join(root, 'apps')
  const known = new Set(await appFolders(folder))
  let files: AppFiles = await readAppFiles(root, apps, new Map())
  let isLooking = false
  let wasTold = false
  const over = new AbortController()

  async function look(): Promise<void> {
    wasTold = true
    if (isLooking) return
    isLooking = true
    try {
      while (wasTold && !over.signal.aborted) {
        wasTold = false
        let now = await readAppFiles(root, apps, files)
        if (changedFiles(files, now).length > 0) {
          for (let last = files; changedFiles(last, now).length > 0;) {
            last = now
            await new Promise((resolve) => setTimeout(resolve, settleMs))
            now = await readAppFiles(root, apps, last)
          }
        }
        const changes = changedFiles(files, now)
        files = now
        if (changes.length > 0 && !over.signal.aborted) changed(changes)
        for (const name of await appFolders(folder)) {
          if (known.has(name)) continue
          known.add(name)
          appeared(`apps/${name}`)
        }
      }
    } finally {
      isLooking = false
    }
  }

  const timer = setInterval(() => void look(), lookEveryMs)
  const watcher = watchFolder(folder, () => void look())
  return {
    [Symbol.dispose]() {
      over.abort()
      clearInterval(timer)
      watcher?.close()
    },
  }
}

/** Null where it cannot be watched: then files are still looked at from time to time. */
function watchFolder(folder: string, told: () => void) {
  try {
    const watcher = watch(folder, { recursive: true, persistent: false }, told)
    return watcher.on('error', () => watcher.close())
  } catch {
    return null
  }
}

async function appFolders(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return names.filter((name) => existsSync(join(folder, name, 'behalf.json')))
}
