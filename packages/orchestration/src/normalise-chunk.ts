type Json = Record<string, unknown>

/**
 * Turns one chunk as servers really send it into one that the adapter's schema accepts: object-valued arguments
 * become text, whole messages become deltas, missing lists are added, errors get the usual shape. What it does not
 * know stays as it is, for the adapter to judge.
 */
export function normaliseChunk(chunk: unknown): unknown {
  if (!isJson(chunk)) return chunk
  const error = errorIn(chunk)
  if (error !== null) return { error }
  const { choices } = chunk
  return { ...chunk, choices: Array.isArray(choices) ? choices.map(normaliseChoice) : [] }
}

/** `{"error":"..."}` (TGI), `{"error":{...}}` (most), `{"object":"error","message":"..."}` (vLLM). */
function errorIn(chunk: Json): Json | null {
  const { error } = chunk
  if (typeof error === 'string') return { message: error }
  if (isJson(error))
    return { ...error, message: typeof error['message'] === 'string' ? error['message'] : JSON.stringify(error) }
  return chunk['object'] === 'error' ? { message: String(chunk['message']) } : null
}

function normaliseChoice(choice: unknown): unknown {
  if (!isJson(choice)) return choice
  const { message, ...rest } = choice
  const delta = rest['delta'] ?? message
  const finish = rest['finish_reason']
  return {
    ...rest,
    ...(isJson(delta) ? { delta: normaliseDelta(delta) } : {}),
    ...(finish === '' ? { finish_reason: null } : {}),
  }
}

function normaliseDelta(delta: Json): Json {
  const { role: _role, tool_calls: calls, ...rest } = delta
  if (calls === undefined || calls === null) return rest
  return { ...rest, tool_calls: (Array.isArray(calls) ? calls : [calls]).map(normaliseCall) }
}

function normaliseCall(call: unknown): unknown {
  if (!isJson(call)) return call
  const given = isJson(call['function']) ? call['function'] : {}
  const { arguments: args, ...fn } = given
  const { index, id, ...rest } = call
  return {
    ...rest,
    ...(typeof index === 'number' ? { index } : {}),
    ...(typeof id === 'string' ? { id } : {}),
    function: {
      ...fn,
      ...(args === undefined || args === null
        ? {}
        : { arguments: typeof args === 'string' ? args : JSON.stringify(args) }),
    },
  }
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
