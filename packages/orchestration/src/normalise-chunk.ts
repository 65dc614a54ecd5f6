type Json = Record<string, unknown>

/**
 * Turns one chunk as servers really send it into one that the adapter's schema accepts: object-valued arguments
 * become text, whole messages become deltas, missing lists are added, errors get the usual shape. What nobody reads
 * (ids, dates, a count that is no number) is left out, so that it cannot be wrong; what is left the adapter judges.
 */
export function normaliseChunk(chunk: unknown): unknown {
  if (!isJson(chunk)) return chunk
  const error = errorIn(chunk)
  if (error !== null) return { error }
  const { choices } = chunk
  const usage = countsIn(chunk['usage'])
  return { choices: Array.isArray(choices) ? choices.map(normaliseChoice) : [], ...(usage === null ? {} : { usage }) }
}

/** Null where nothing was counted: some servers send an empty object, which would be read as no tokens at all. */
function countsIn(usage: unknown): Json | null {
  if (!isJson(usage)) return null
  const { prompt_tokens: prompt, completion_tokens: completion, prompt_tokens_details: details } = usage
  const counts = {
    ...(typeof prompt === 'number' ? { prompt_tokens: prompt } : {}),
    ...(typeof completion === 'number' ? { completion_tokens: completion } : {}),
  }
  if (Object.keys(counts).length === 0) return null
  const cached = isJson(details) ? details['cached_tokens'] : null
  return { ...counts, ...(typeof cached === 'number' ? { prompt_tokens_details: { cached_tokens: cached } } : {}) }
}

/** `{"error":"..."}` (TGI), `{"error":{...}}` (most), `{"object":"error","message":"..."}` (vLLM). */
function errorIn(chunk: Json): Json | null {
  const { error } = chunk
  if (typeof error === 'string') return { message: error }
  if (isJson(error))
    return { ...error, message: typeof error['message'] === 'string' ? error['message'] : JSON.stringify(error) }
  return chunk['object'] === 'error' ? { message: String(chunk['message']), code: chunk['code'] } : null
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
