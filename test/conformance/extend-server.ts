import type { Server } from '@modelcontextprotocol/server'
import { ProtocolError, ProtocolErrorCode, inputRequired } from '@modelcontextprotocol/server'
import { image } from './fixture-tools.ts'

const resources = [
  { uri: 'test://static-text', name: 'static-text', mimeType: 'text/plain' },
  { uri: 'test://static-binary', name: 'static-binary', mimeType: 'image/png' },
  { uri: 'test://watched-resource', name: 'watched-resource', mimeType: 'text/plain' },
]
const argument = (name: string) => ({ name, required: true })
const prompts = [
  { name: 'test_simple_prompt', description: 'A fixture.' },
  { name: 'test_prompt_with_arguments', description: 'A fixture.', arguments: [argument('arg1'), argument('arg2')] },
  { name: 'test_prompt_with_embedded_resource', description: 'A fixture.', arguments: [argument('resourceUri')] },
  { name: 'test_prompt_with_image', description: 'A fixture.' },
  { name: 'test_input_required_result_prompt', description: 'A fixture.' },
]
const said = (text: string) => ({ role: 'user' as const, content: { type: 'text' as const, text } })

/** What the official suite asks for beside tools, and we serve to nobody else. */
export function extendServer(server: Server): void {
  server.registerCapabilities({
    resources: { subscribe: true },
    prompts: {},
    logging: {},
    completions: {},
  })
  server.setRequestHandler('resources/list', () => ({ resources }))
  server.setRequestHandler('resources/templates/list', () => ({
    resourceTemplates: [{ uriTemplate: 'test://template/{id}/data', name: 'template', mimeType: 'application/json' }],
  }))
  server.setRequestHandler('resources/read', ({ params: { uri } }) => {
    const id = /^test:\/\/template\/(.+)\/data$/.exec(uri)?.[1]
    if (id !== undefined)
      return { contents: [{ uri, mimeType: 'application/json', text: JSON.stringify({ id, templateTest: true }) }] }
    const found = resources.find((each) => each.uri === uri)
    if (!found) throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'Resource not found', { uri })
    const content = found.mimeType === 'image/png' ? { blob: image.data } : { text: 'The content of a text resource.' }
    return { contents: [{ uri, mimeType: found.mimeType, ...content }] }
  })
  server.setRequestHandler('resources/subscribe', () => ({}))
  server.setRequestHandler('resources/unsubscribe', () => ({}))
  server.setRequestHandler('completion/complete', () => ({ completion: { values: [], total: 0, hasMore: false } }))
  server.setRequestHandler('prompts/list', () => ({ prompts }))
  server.setRequestHandler('prompts/get', ({ params: { name, arguments: given = {} } }, { mcpReq }) => {
    switch (name) {
      case 'test_simple_prompt':
        return { messages: [said('This is a simple prompt for testing.')] }
      case 'test_prompt_with_arguments':
        return { messages: [said(`Prompt with arguments: arg1='${given['arg1']}', arg2='${given['arg2']}'`)] }
      case 'test_prompt_with_embedded_resource': {
        const resource = { uri: String(given['resourceUri']), mimeType: 'text/plain', text: 'Embedded for testing.' }
        return {
          messages: [{ role: 'user' as const, content: { type: 'resource' as const, resource } }, said('Process it.')],
        }
      }
      case 'test_prompt_with_image':
        return { messages: [{ role: 'user' as const, content: image }, said('Analyze it.')] }
      case 'test_input_required_result_prompt': {
        const { user_context: context } = mcpReq.inputResponses ?? {}
        if (context !== undefined) return { messages: [said(JSON.stringify(context))] }
        const requestedSchema = {
          type: 'object' as const,
          properties: { context: { type: 'string' as const } },
          required: ['context'],
        }
        return inputRequired({
          inputRequests: { user_context: inputRequired.elicit({ message: 'What is this about?', requestedSchema }) },
        })
      }
      default:
        throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'There is no prompt of that name.')
    }
  })
}
