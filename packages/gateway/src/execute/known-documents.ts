import { hash } from 'node:crypto'
import type { ApolloServerOptions, ApolloServerPlugin, BaseContext } from '@apollo/server'
import { type DocumentNode, getOperationAST, type GraphQLSchema, parse } from 'graphql'
import { LRUCache } from 'lru-cache'
import type { KnownOperation } from './execute-known.ts'
import { shapeOf } from './plan/lift-literals.ts'

type DocumentStore = NonNullable<ApolloServerOptions<BaseContext>['documentStore']>
type KeyValueCache = NonNullable<
  NonNullable<Exclude<ApolloServerOptions<BaseContext>['persistedQueries'], false>>['cache']
>

/** Of what is kept: documents, or texts of them or of shapes, and characters of those. */
const bounds = { max: 5000, maxSize: 1_000_000 }

/** Documents and texts that a server knows of one schema. */
export interface KnownDocuments {
  /** Documents that validated, for Apollo Server to keep. */
  readonly documentStore: DocumentStore
  /** Texts for Apollo Server by hash: of requests under way, and those that clients had it keep (persisted queries). */
  readonly texts: KeyValueCache
  /**
   * Lets Apollo Server find a text by its hash, hexadecimal SHA-256, while a request is under way; which so is not hashed
   * for each request.
   */
  hold(text: string): Disposable & { readonly hash: string }
  /** An operation of a text that validated, if it names one; null for what is to be validated first, or to be refused. */
  find(text: string, operationName: string | undefined): KnownOperation | null
  /** Tells which schema that is. */
  readonly plugin: ApolloServerPlugin
}

/**
 * A document that differs from one that validated in nothing but literals validates, too: it is known. It is parsed here,
 * with all limits, if its text is held.
 *
 * @param maxTokens - of a document.
 */
export function createKnownDocuments({ maxTokens }: { readonly maxTokens: number }): KnownDocuments {
  const documents = new LRUCache<string, DocumentNode>(bounds)
  const shapes = new LRUCache<string, true>(bounds)
  const texts = new LRUCache<string, Known>(bounds)
  const persisted = new LRUCache<string, string>(bounds)
  /** By hash. */
  const held = new Map<string, { readonly text: string; readonly known: Known; requests: number }>()
  /** By key, from the store's answer that it has none to when Apollo Server found that it validates. */
  const unknown = new LRUCache<string, string>({ max: 1000, maxSize: bounds.maxSize })
  let schema: GraphQLSchema | null = null

  function knownOf(text: string): Known {
    let known = texts.get(text)
    if (known === undefined)
      texts.set(text, (known = { hash: hash('sha256', text, 'hex'), document: null }), {
        size: Math.max(1, text.length),
      })
    return known
  }

  /** Of a text that is held, the document that it is. */
  function note(key: string, document: DocumentNode): void {
    const holding = held.get(key.slice(-hashLength))
    if (holding) holding.known.document = document
  }

  /** Undefined unless a document of its shape validated. */
  function recognise(key: string, source: string): DocumentNode | undefined {
    if (schema === null) return undefined
    let document: DocumentNode
    try {
      document = parse(source, { maxTokens })
    } catch {
      // Apollo Server says what is wrong with it.
      return undefined
    }
    const shape = shapeOf(schema, document, source)
    if (shape === null) return undefined
    const ofSchema = `${key.slice(0, -hashLength)}${shape}`
    if (shapes.get(ofSchema) === undefined) {
      unknown.set(key, ofSchema, { size: ofSchema.length })
      return undefined
    }
    documents.set(key, document, { size: source.length })
    return document
  }

  return {
    hold(text) {
      const known = knownOf(text)
      const key = known.hash
      const holding = held.get(key) ?? { text, known, requests: 0 }
      holding.requests++
      held.set(key, holding)
      return { hash: key, [Symbol.dispose]: () => void (--holding.requests === 0 && held.delete(key)) }
    },
    texts: {
      get: async (key) => held.get(key.slice(-hashLength))?.text ?? persisted.get(key),
      set: async (key, text) => void persisted.set(key, text, { size: Math.max(1, text.length) }),
      delete: async (key) => persisted.delete(key),
    },
    documentStore: {
      async get(key) {
        const holding = held.get(key.slice(-hashLength))
        const document = documents.get(key) ?? (holding && recognise(key, holding.text))
        if (document) note(key, document)
        return document
      },
      async set(key, document) {
        const shape = unknown.get(key)
        unknown.delete(key)
        if (shape !== undefined) shapes.set(shape, true, { size: shape.length })
        documents.set(key, document, { size: Math.max(1, document.loc?.end ?? 1) })
        note(key, document)
      },
      delete: async (key) => documents.delete(key),
    },
    find(source, operationName) {
      const known = texts.get(source)
      if (schema === null || !known?.document) return null
      const { document, hash: queryHash } = known
      const operation = getOperationAST(document, operationName)
      return operation ? { schema, document, operation, source, queryHash } : null
    },
    plugin: { serverWillStart: async (service) => void (schema = service.schema) },
  }
}

/** A text that somebody sent. */
interface Known {
  readonly hash: string
  /** Once it validated. */
  document: DocumentNode | null
}

/** Of a hexadecimal SHA-256, with which keys end: before it is what Apollo Server tells schemas, or caches, apart by. */
const hashLength = 64
