/**
 * What Behalf promises. Tests cite a promise in their title, as in `[P1] refuses ...`; a promise without such a
 * test is not kept, and says so here.
 */
export const requirements = {
  P1: {
    promise:
      'A request reaches a subgraph only with facts the gateway verified; the subgraph itself refuses any other context.',
    kept: true,
  },
  P2: { promise: 'No user credential crosses the gateway.', kept: true },
  P3: {
    promise:
      'No input that a model controls chooses whose authority or whose rows are used; proven when the graph is composed.',
    kept: true,
  },
  P4: {
    promise:
      'A captured context token is next to worthless: one receiver, one request body, at most 60 seconds, a mutation once.',
    kept: true,
  },
  P5: { promise: 'Each subgraph receives only the facts it declared.', kept: true },
  P6: { promise: 'Authorization is decided before any subgraph is asked, and again in the subgraph.', kept: true },
  P7: {
    promise:
      'Rows belong to someone: the database itself and the ownership check on results withhold the rows of others.',
    kept: true,
  },
  P8: { promise: 'A model may do less than its user, on every door.', kept: true },
  P9: {
    promise:
      "An approval is the user's own, for one call with exactly these arguments, once; the resolver verifies it.",
    kept: true,
  },
  P10: {
    promise: 'Tools are listed and executable by the same rule, per user; chat and MCP share one registry.',
    kept: true,
  },
  P11: { promise: 'An agent acts under a delegation its user can see and revoke.', kept: true },
  P12: {
    promise:
      "Whatever the model emits, nobody's data but the user's is read or written, and the run ends in a clear state.",
    kept: true,
  },
  P13: { promise: "Nothing accepted is lost; a tool call's effect in a database happens at most once.", kept: true },
  P14: { promise: 'Every decision is explained.', kept: true },
  P15: {
    promise: 'Abuse is bounded per user and tenant: rate, query cost, tool calls, model tokens.',
    kept: true,
  },
  P16: {
    promise:
      'A team that adds a subgraph gets P1 to P15 without writing security code, and a test kit that attacks it.',
    kept: true,
  },
} as const satisfies Record<`P${number}`, { readonly promise: string; readonly kept: boolean }>
