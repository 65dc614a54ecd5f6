import type { McpTools } from '@behalf/identity'

/** The protocol, which knows nobody and decides nothing; `@behalf/mcp` is one. */
export interface McpEndpoint {
  /**
   * Answers one request of somebody who was let in. Rejects with what `tools` rejected with.
   *
   * @param request - without any credential
   * @param body - of a POST, as JSON
   */
  serve(request: Request, body: unknown, tools: McpTools): Promise<Response>
  close(): Promise<void>
}
