import { deepFreeze, type Principal, type ToolDefinition } from '@behalf/identity'

/** A principal for tests, where no credential is verified. */
export function principal(given: Partial<Principal> = {}): Principal {
  const ada = {
    subject: 'usr_ada',
    tenant: 'acme',
    scopes: ['orders:read', 'orders:write', 'balance:read'],
    facts: {},
    client: 'behalf-console',
    authTime: 0,
    acr: null,
    actor: null,
    issuer: 'http://127.0.0.1:4200',
    session: null,
    issuedAt: null,
    expiresAt: null,
  }
  return deepFreeze({ ...ada, ...given }) as Principal
}

/** A compiled tool for tests. */
export function tool(given: Partial<ToolDefinition> = {}): ToolDefinition {
  return {
    name: 'get_order_status',
    title: 'Get order status',
    description: 'Status of an order.',
    inputSchema: {
      type: 'object',
      properties: {
        orderId: { type: 'string' },
        first: { type: 'integer', minimum: 1, maximum: 100, default: 10 },
        status: { type: 'string', enum: ['PLACED', 'SHIPPED'] },
        since: { type: 'string', format: 'date-time' },
      },
      required: ['orderId'],
      additionalProperties: false,
    },
    outputSchema: {},
    operation: 'query get_order_status($orderId: ID!) { order(id: $orderId) { id } }',
    bindings: [],
    scopes: [['orders:read']],
    policies: [],
    readOnly: true,
    approval: null,
    summary: null,
    examples: [],
    version: 'v',
    ...given,
  }
}
