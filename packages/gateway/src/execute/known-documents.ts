import type { ApolloServerOptions, ApolloServerPlugin, BaseContext } from '@apollo/server'
import { type DocumentNode, type GraphQLSchema, parse } from 'graphql'
import { LRUCache } from 'lru-cache'
import { shapeOf } from './plan/lift-literals.ts'

type DocumentStore = NonNullable<ApolloServerOptions<BaseContext>['documentStore']>

/** Of what is kept: documents or texts of shapes, and characters of them. */
const bounds = { max: 5000, maxSize: 1_000_000 }

/**
 * Documents that validated, for Apollo Server to keep; and one that differs from such a document in nothing but literals,
 * which then validates, too. It is parsed here, with all limits, since stores are not told texts: the plugin is.
 *
 * @param maxTokens - of a document.
 */
export function createKnownDocuments({ maxTokens }: { readonly maxTokens: number }): {
  readonly documentStore: DocumentStore
  readonly plugin: ApolloServerPlugin
} {
  const documents = new LRUCache<string, DocumentNode>(bounds)
  const shapes = new LRUCache<string, true>(bounds)
  /** Texts of requests under way, between the plugin and the store, by hash. */
  const asked = new Map<string, Asked>()
  /** By key, from the store's answer that it has none to when Apollo Server found that it validates. */
  const unknown = new LRUCache<string, string>({ max: 1000, maxSize: bounds.maxSize })

  /** Null unless a document of its shape validated. */
  function recognise(key: string, { source, schema }: Asked): DocumentNode | undefined {
    let document: DocumentNode
    try {
      document = parse(source, { maxTokens })
    } catch {
      // Apollo Server says what is wrong with it.
      return undefined
    }
    const shape = shapeOf(schema, document, source)
    if (shape === null) return undefined
    const ofSchema = `${prefixOf(key)}${shape}`
    if (shapes.get(ofSchema) === undefined) {
      unknown.set(key, ofSchema, { size: ofSchema.length })
      return undefined
    }
    documents.set(key, document, { size: source.length })
    return document
  }

  const documentStore: DocumentStore = {
    async get(key) {
      const hash = key.slice(-hashLength)
      const given = asked.get(hash)
      asked.delete(hash)
      return documents.get(key) ?? (given && recognise(key, given))
    },
    async set(key, document) {
      const shape = unknown.get(key)
      unknown.delete(key)
      if (shape !== undefined) shapes.set(shape, true, { size: shape.length })
      documents.set(key, document, { size: Math.max(1, document.loc?.end ?? 1) })
    },
    async delete(key) {
      return documents.delete(key)
    },
  }
  const listener = {
    async didResolveSource({ queryHash, source, schema }: Asked & { readonly queryHash: string }) {
      asked.set(queryHash, { source, schema })
    },
  }
  return { documentStore, plugin: { requestDidStart: async () => listener } }
}

interface Asked {
  readonly source: string
  readonly schema: GraphQLSchema
}

/** Hexadecimal SHA-256 of the text, after what Apollo Server tells schemas apart by. */
const hashLength = 64
const prefixOf = (key: string) => key.slice(0, -hashLength)
