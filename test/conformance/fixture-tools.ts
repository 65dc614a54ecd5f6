import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import type { ServedTool } from '@behalf/mcp'
import {
  type CallToolResult,
  inputRequired,
  type InputRequiredResult,
  type ServerContext,
} from '@modelcontextprotocol/server'

/** A red pixel, and a sound of no length. */
export const image = {
  type: 'image' as const,
  data: 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==',
  mimeType: 'image/png',
}
const audio = {
  type: 'audio' as const,
  data: 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=',
  mimeType: 'audio/wav',
}
const embedded = (uri: string, mimeType: string, text: string) => ({
  type: 'resource' as const,
  resource: { uri, mimeType, text },
})
const says = (text: string): CallToolResult => ({ content: [{ type: 'text', text }] })
const closed = (properties: object = {}) => ({ type: 'object', properties, additionalProperties: false })
const text = { type: 'string' }
const requires = (name: string) => ({ type: 'object', properties: { [name]: text }, required: [name] })

function fixture(
  name: string,
  run: (
    given: Readonly<Record<string, unknown>>,
    context: ServerContext,
  ) => CallToolResult | InputRequiredResult | Promise<CallToolResult | InputRequiredResult>,
  more: Partial<ServedTool> = {},
): ServedTool {
  return {
    name,
    title: name,
    description: `Fixture of the conformance suite: ${name}.`,
    inputSchema: closed(),
    readOnly: true,
    run: async (given, _caller, context) => run(given, context),
    ...more,
  }
}

const namePart = {
  type: 'object' as const,
  properties: { name: { type: 'string' as const } },
  required: ['name'],
}
const askName = () => inputRequired.elicit({ message: 'What is your name?', requestedSchema: namePart })
const askCapital = () =>
  inputRequired.createMessage({
    messages: [{ role: 'user', content: { type: 'text', text: 'What is the capital of France?' } }],
    maxTokens: 100,
  })
const responses = (context: ServerContext): Record<string, unknown> => context.mcpReq.inputResponses ?? {}

/** What a client carries for us between rounds: with a tag, so that it cannot be another. */
const key = randomBytes(32)
const tagOf = (state: string) => createHmac('sha256', key).update(state).digest('base64url')
const sealed = (state: string) => `${state}.${tagOf(state)}`
export function verifyState(given: string): string {
  const dot = given.lastIndexOf('.')
  const [state, tag] = [given.slice(0, dot), Buffer.from(given.slice(dot + 1))]
  const expected = Buffer.from(tagOf(state))
  if (tag.length !== expected.length || !timingSafeEqual(tag, expected)) throw new Error('tampered with')
  return state
}

async function elicited(context: ServerContext, properties: object): Promise<CallToolResult> {
  const { action, content } = await context.mcpReq.elicitInput({
    mode: 'form',
    message: 'Please fill this in',
    requestedSchema: { type: 'object', properties, required: [] } as never,
  })
  return says(`Elicitation completed: action=${action}, content=${JSON.stringify(content ?? {})}`)
}
const option = (value: string, title: string) => ({ const: value, title })
const three = [option('value1', 'First'), option('value2', 'Second'), option('value3', 'Third')]
const options = ['option1', 'option2', 'option3']

/** The tools that the official suite calls, as its scenarios describe them. */
export const fixtureTools: readonly ServedTool[] = [
  fixture('test_simple_text', () => says('This is a simple text response for testing.')),
  fixture('test_image_content', () => ({ content: [image] })),
  fixture('test_audio_content', () => ({ content: [audio] })),
  fixture('test_embedded_resource', () => ({
    content: [embedded('test://embedded-resource', 'text/plain', 'This is an embedded resource content.')],
  })),
  fixture('test_multiple_content_types', () => ({
    content: [
      { type: 'text', text: 'Multiple content types test:' },
      image,
      embedded('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
    ],
  })),
  fixture('test_error_handling', () => ({
    isError: true,
    content: [{ type: 'text', text: 'This tool intentionally returns an error for testing' }],
  })),
  fixture('test_tool_with_logging', async (_none, { mcpReq }) => {
    for (const data of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
      await mcpReq.notify({ method: 'notifications/message', params: { level: 'info', data } })
      await setTimeout(50)
    }
    return says('Tool with logging executed successfully')
  }),
  fixture('test_tool_with_progress', async (_none, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken ?? 0
    for (const progress of [0, 50, 100]) {
      await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: 100 } })
      await setTimeout(50)
    }
    return says(String(progressToken))
  }),
  fixture(
    'test_sampling',
    async ({ prompt }, { mcpReq }) => {
      const { content } = await mcpReq.requestSampling({
        messages: [{ role: 'user', content: { type: 'text', text: String(prompt) } }],
        maxTokens: 100,
      })
      return says(`LLM response: ${JSON.stringify(content)}`)
    },
    { inputSchema: closed({ prompt: text }) },
  ),
  fixture(
    'test_elicitation',
    ({ message }, context) => elicited(context, { response: { ...text, description: String(message) } }),
    { inputSchema: closed({ message: text }) },
  ),
  fixture('test_elicitation_sep1034_defaults', (_none, context) =>
    elicited(context, {
      name: { ...text, default: 'John Doe' },
      age: { type: 'integer', default: 30 },
      score: { type: 'number', default: 95.5 },
      status: { ...text, enum: ['active', 'inactive', 'pending'], default: 'active' },
      verified: { type: 'boolean', default: true },
    }),
  ),
  fixture('test_elicitation_sep1330_enums', (_none, context) =>
    elicited(context, {
      untitledSingle: { ...text, enum: options },
      titledSingle: { ...text, oneOf: three },
      legacyEnum: { ...text, enum: ['opt1', 'opt2', 'opt3'], enumNames: ['One', 'Two', 'Three'] },
      untitledMulti: { type: 'array', minItems: 1, maxItems: 3, items: { ...text, enum: options } },
      titledMulti: { type: 'array', minItems: 1, maxItems: 3, items: { anyOf: three } },
    }),
  ),
  fixture('json_schema_2020_12_tool', (given) => says(`Called with ${JSON.stringify(given)}`), {
    inputSchema: {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      $defs: {
        address: {
          $anchor: 'addressDef',
          type: 'object',
          properties: { street: text, city: text },
          additionalProperties: false,
        },
      },
      properties: {
        name: text,
        address: { $ref: '#/$defs/address' },
        contactMethod: { type: 'string', enum: ['phone', 'email'] },
        phone: text,
        email: text,
      },
      allOf: [{ anyOf: [requires('phone'), requires('email')] }],
      if: { type: 'object', properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
      // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
      then: requires('phone'),
      else: requires('email'),
      additionalProperties: false,
    },
    notSubject: { email: 'a fixture' },
  }),
  fixture('test_input_required_result_elicitation', (_none, context) => {
    const { user_name: given } = responses(context)
    const name = (given as { content?: { name?: unknown } } | undefined)?.content?.name
    if (typeof name !== 'string') return inputRequired({ inputRequests: { user_name: askName() } })
    return says(`Hello, ${name}!`)
  }),
  fixture('test_input_required_result_sampling', (_none, context) => {
    const { capital_question: given } = responses(context)
    return given === undefined
      ? inputRequired({ inputRequests: { capital_question: askCapital() } })
      : says(JSON.stringify(given))
  }),
  fixture('test_input_required_result_list_roots', (_none, context) => {
    const { client_roots: given } = responses(context)
    return given === undefined
      ? inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } })
      : says(JSON.stringify(given))
  }),
  fixture('test_input_required_result_request_state', (_none, context) => {
    const { confirm: given } = responses(context)
    const state = context.mcpReq.requestState()
    if (given === undefined || state === undefined)
      return inputRequired({
        inputRequests: {
          confirm: inputRequired.elicit({
            message: 'Please confirm',
            requestedSchema: { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'] },
          }),
        },
        requestState: sealed('request'),
      })
    return says(`state-ok: ${JSON.stringify(given)}`)
  }),
  fixture('test_input_required_result_multiple_inputs', (_none, context) => {
    const given = responses(context)
    if (['user_name', 'greeting', 'client_roots'].some((name) => given[name] === undefined))
      return inputRequired({
        inputRequests: {
          user_name: askName(),
          greeting: askCapital(),
          client_roots: inputRequired.listRoots(),
        },
        requestState: sealed('multiple'),
      })
    return says(JSON.stringify(given))
  }),
  fixture('test_input_required_result_multi_round', (_none, context) => {
    const given = responses(context)
    if (given['step2'] !== undefined) return says(`Done: ${JSON.stringify(given)}`)
    const [step, question] =
      given['step1'] === undefined
        ? (['step1', 'Step 1: What is your name?'] as const)
        : (['step2', 'Step 2: Which colour?'] as const)
    return inputRequired({
      inputRequests: { [step]: inputRequired.elicit({ message: question, requestedSchema: namePart }) },
      requestState: sealed(step),
    })
  }),
  fixture('test_input_required_result_tampered_state', (_none, context) => {
    const { confirm: given } = responses(context)
    if (given === undefined)
      return inputRequired({ inputRequests: { confirm: askName() }, requestState: sealed('tampered') })
    return says('integrity-ok')
  }),
  fixture('test_missing_capability', () => inputRequired({ inputRequests: { capital_question: askCapital() } })),
  fixture('test_streaming_elicitation', async (_none, context) => {
    const { user_name: given } = responses(context)
    const { progressToken } = context.mcpReq._meta ?? {}
    if (progressToken !== undefined)
      await context.mcpReq.notify({
        method: 'notifications/progress',
        params: { progressToken, progress: 1, total: 2 },
      })
    return given === undefined
      ? inputRequired({ inputRequests: { user_name: askName() } })
      : says(JSON.stringify(given))
  }),
  fixture('test_logging_tool', async (_none, { mcpReq }) => {
    await mcpReq.log('info', 'Tool execution started')
    return says('Logged what was asked for')
  }),
  fixture('test_input_required_result_capabilities', (_none, context) => {
    const envelope = context.mcpReq.envelope as Record<string, { sampling?: object; elicitation?: object } | undefined>
    const declared = envelope['io.modelcontextprotocol/clientCapabilities']
    if (declared?.sampling) return inputRequired({ inputRequests: { capital_question: askCapital() } })
    if (declared?.elicitation) return inputRequired({ inputRequests: { user_name: askName() } })
    return says('nothing can be asked for')
  }),
]
