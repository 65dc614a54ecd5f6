import type {
  JSONSchema7,
  JSONValue,
  LanguageModelV4FunctionTool,
  LanguageModelV4Message,
  LanguageModelV4Prompt,
} from '@ai-sdk/provider'
import type { OfferedTool } from '@behalf/identity'
import type { ModelMessage } from './model-backend.ts'

/** Messages in the terms of the provider specification (LanguageModelV4). */
export function toPrompt(messages: readonly ModelMessage[]): LanguageModelV4Prompt {
  return messages.map((message): LanguageModelV4Message => {
    switch (message.role) {
      case 'system':
        return { role: 'system', content: message.text }
      case 'user':
        return { role: 'user', content: [{ type: 'text', text: message.text }] }
      case 'assistant':
        return {
          role: 'assistant',
          content: [
            ...(message.text === '' ? [] : [{ type: 'text' as const, text: message.text }]),
            ...message.calls.map((call) => ({
              type: 'tool-call' as const,
              toolCallId: call.id,
              toolName: call.name,
              input: call.arguments,
            })),
          ],
        }
      case 'tool': {
        const { outcome } = message
        // Always wrapped, so that no text of a result stands alone as if somebody had said it.
        const value = (
          outcome.ok ? { result: outcome.result, truncated: outcome.truncated } : { error: outcome.error }
        ) as JSONValue
        return {
          role: 'tool',
          content: [
            { type: 'tool-result', toolCallId: message.call, toolName: message.name, output: { type: 'json', value } },
          ],
        }
      }
    }
  })
}

export function toTools(tools: readonly OfferedTool[]): LanguageModelV4FunctionTool[] {
  return tools.map(({ name, description, inputSchema }) => ({
    type: 'function',
    name,
    description,
    inputSchema: inputSchema as JSONSchema7,
  }))
}
