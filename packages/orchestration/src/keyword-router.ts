import type { ModelBackend } from './model-backend.ts'

export function keywordRouter(): ModelBackend {
  return {
    kind: 'KEYWORD_ROUTER',
    name: 'keyword-router',
    async *generate() {
      yield { type: 'text', text: '' }
    },
  }
}
