import { randomUUID } from 'node:crypto'
import type { AnswerDelta } from '@behalf/orchestration'
import type { Postgres } from '@behalf/postgres'
import type { Logger } from '@behalf/process'
import { createSealer } from './sealed-text.ts'
import { runChanged } from './store/run-events.ts'

/** The channel on which text is sent that is being written, sealed. */
const textChannel = 'chat_text'
/** UTF-16 units in one NOTIFY: at most 6 bytes each as JSON, and a third more as base64, of at most 8,000. */
const pieceLength = 900

/** A piece of an answer that is being written, by whom the store counts as its `holder`. */
export type LiveText = AnswerDelta & { readonly holder: number }

export interface RunListener {
  readonly text: (piece: LiveText) => void
  /** Something was stored, or may have been. */
  readonly changed: () => void
}

/** What happens in runs, in whichever process. Nothing of it is kept but text that is being written here. */
export interface RunFeed {
  /** Says what was written, here at once and to others without waiting for them. */
  say(run: string, piece: LiveText): void
  /** The run is no longer worked here. */
  forget(run: string): void
  /** Hears of a run from now on, and of its text from where its process knows it. */
  hear(run: string, listener: RunListener): () => void
  /** Has all text said once more: something was missed. */
  ask(run: string): void
  close(): Promise<void>
}

type Message = { readonly from: string; readonly run: string } & (LiveText | { readonly ask: true })

export async function openRunFeed(
  db: Pick<Postgres<unknown>, 'listen' | 'notify'>,
  options: { readonly key: string; readonly log: Logger },
): Promise<RunFeed> {
  const me = randomUUID()
  const { seal, open } = createSealer(options.key)
  const listeners = new Map<string, Set<RunListener>>()
  const written = new Map<string, LiveText>()
  let outbox: Message[] = []
  let sending: Promise<void> | null = null

  function tell(run: string, piece: LiveText): void {
    for (const { text } of listeners.get(run) ?? []) text(piece)
  }
  const changed = (run: string) => listeners.get(run)?.forEach((listener) => listener.changed())
  const allChanged = () => {
    for (const run of listeners.keys()) changed(run)
  }

  /** One after the other: what comes while one is on its way is sent together. */
  function send(message: Message): void {
    const last = outbox.at(-1)
    if (last && 'text' in last && 'text' in message && follows(last, message))
      outbox[outbox.length - 1] = { ...last, text: last.text + message.text }
    else outbox.push(message)
    sending ??= (async () => {
      while (outbox.length > 0) {
        const messages = outbox.splice(0).flatMap(pieces)
        await db
          .notify(
            textChannel,
            messages.map((each) => seal(JSON.stringify(each))),
          )
          // Whoever missed it asks; what was written is stored at the end of its step.
          .catch((err: unknown) => options.log.warn({ err }, 'text of a run was not sent'))
      }
      sending = null
    })()
  }

  function receive(sealed: string): void {
    const text = open(sealed)
    const message = text === null ? null : (JSON.parse(text) as Message)
    if (message === null || message.from === me) return
    if ('text' in message) return tell(message.run, message)
    const known = written.get(message.run)
    if (known) send({ from: me, run: message.run, ...known })
  }

  const connections = [
    await db.listen(textChannel, receive, allChanged),
    await db.listen(runChanged, changed, allChanged),
  ]

  const ask = (run: string) => {
    const known = written.get(run)
    if (known) tell(run, known)
    else send({ from: me, run, ask: true })
  }

  return {
    say(run, piece) {
      const known = written.get(run)
      written.set(
        run,
        known && follows({ run, ...known }, { run, ...piece }) ? { ...known, text: known.text + piece.text } : piece,
      )
      tell(run, piece)
      send({ from: me, run, ...piece })
    },
    forget: (run) => void written.delete(run),
    hear(run, listener) {
      const ofRun = listeners.get(run) ?? new Set()
      listeners.set(run, ofRun.add(listener))
      ask(run)
      return () => {
        ofRun.delete(listener)
        if (ofRun.size === 0 && listeners.get(run) === ofRun) listeners.delete(run)
      }
    },
    ask,
    async close() {
      await sending
      await Promise.all(connections.map((connection) => connection.close()))
    },
  }
}

type Written = LiveText & { readonly run: string }

const follows = (last: Written, next: Written) =>
  last.run === next.run && last.holder === next.holder && last.offset + last.text.length === next.offset

function pieces(message: Message): Message[] {
  if (!('text' in message)) return [message]
  const { text, offset } = message
  const all: Message[] = []
  for (let at = 0; at < text.length;) {
    const end = Math.min(text.length, at + pieceLength)
    // Half a character is no text.
    const cut = end < text.length && /[\ud800-\udbff]$/.test(text.slice(at, end)) ? end - 1 : end
    all.push({ ...message, offset: offset + at, text: text.slice(at, cut) })
    at = cut
  }
  return all
}
