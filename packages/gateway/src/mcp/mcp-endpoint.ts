import type { McpAnswer, McpRequest, McpTools } from '@behalf/identity'

/** The protocol, which knows nobody and decides nothing; `@behalf/mcp` is one. */
export interface McpEndpoint {
  /**
   * Answers one request of somebody who was let in. Rejects with what `tools` rejected with.
   *
   * @param body - of a POST, as JSON
   */
  serve(request: McpRequest, body: unknown, tools: McpTools): Promise<McpAnswer>
  close(): Promise<void>
}
