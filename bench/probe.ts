// Preloaded into a process that is measured (`--import`): says what it holds, and profiles itself, when it is told to.
import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'

export type Asked = { readonly probe: 'held' | 'profile' } | { readonly probe: 'profiled'; readonly path: string }

/** What is known of a process, after a garbage collection. */
export interface Held {
  readonly heapUsed: number
  readonly external: number
  readonly resident: number
}

const session = new Session()

async function answer(asked: Asked): Promise<Held | null> {
  switch (asked.probe) {
    case 'held': {
      // Twice: what is finalised by the first is collected by the second.
      for (let count = 0; count < 2; count++) {
        globalThis.gc?.()
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      const { heapUsed, external, rss } = process.memoryUsage()
      return { heapUsed, external, resident: rss }
    }
    case 'profile':
      session.connect()
      await session.post('Profiler.enable')
      await session.post('Profiler.start')
      return null
    case 'profiled': {
      const { profile } = await session.post('Profiler.stop')
      session.disconnect()
      writeFileSync(asked.path, JSON.stringify(profile))
      return null
    }
  }
}

process.on('message', (message: Partial<Asked>) => {
  if (message.probe !== undefined) void answer(message as Asked).then((held) => process.send?.(held ?? {}))
})
// Nobody is kept alive by being measured.
process.channel?.unref()
