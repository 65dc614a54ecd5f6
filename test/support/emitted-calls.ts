import fc from 'fast-check'

/** A row of somebody's. */
export interface Owned {
  readonly id: string
  readonly owner: string
}

export interface Emitted {
  readonly call: string
  readonly arguments: string
}

/** Anything: every tool and none, with ids of everybody, names that would choose a user, in every wrapping. */
export function emittedCalls(user: string, users: readonly string[], ids: readonly Owned[]): fc.Arbitrary<Emitted> {
  const payees = new Set(
    ids.filter(({ id, owner }) => id.startsWith('pay_') && owner === `usr_${user}`).map(({ id }) => id),
  )
  // But its user's own payees: money that ada really sends is in somebody else's account then.
  const id = fc.constantFrom(
    ...ids.map((each) => each.id).filter((each) => !payees.has(each)),
    ...users.map((name) => `usr_${name}`),
  )
  const wrapped = fc.oneof(
    { weight: 5, arbitrary: id },
    id.map(encodeURIComponent),
    id.map((text) => Buffer.from(text).toString('base64')),
    id.map((text) => `${text}\u0000`),
    id.map((text) => `${text}' or '1'='1`),
    id.map((text) => ({ id: text })),
    id.map((text) => [text]),
    fc.jsonValue(),
  )
  const name = fc.constantFrom(
    'orderId',
    'payeeId',
    'amount',
    'first',
    'after',
    'reason',
    'input',
    'userId',
    'user_id',
    'sub',
    'subject',
    'tenant',
    'tenant_id',
    'id',
    'email',
    'act',
    'scopes',
    'authorization',
    '__proto__',
    'constructor',
    'prototype',
    '__typename',
    '$userId',
  )
  const forged = fc.dictionary(name, wrapped, { maxKeys: 4, noNullPrototype: true })
  const fitting = fc.record({ orderId: id }).chain((known) => fc.constantFrom({ ...known }, { ...known, reason: 'x' }))
  const payment = fc.record({ payeeId: id, amount: fc.constantFrom('1.00', '0.01', '-1.00', '1e9') })
  const page = fc.record({ first: fc.constantFrom(1, 5, 100, 101, -1), after: fc.option(id, { nil: undefined }) })
  const own = fc.constantFrom(
    ...ids.filter((each) => each.owner === `usr_${user}` && each.id.startsWith('ord_')).map((each) => each.id),
  )
  const sensible = fc.oneof(
    ...['get_order_status', 'cancel_order'].flatMap((call) =>
      [own, id].map((each) => of(call, fc.record({ orderId: each }))),
    ),
    of('transfer', payment),
    of('get_balance', fc.constant({})),
    ...['list_orders', 'list_transactions'].map((call) => of(call, fc.record({ first: fc.constantFrom(1, 5, 100) }))),
  )
  const senseless = fc.record({
    call: fc.constantFrom(
      'get_order_status',
      'cancel_order',
      'transfer',
      'list_orders',
      'list_transactions',
      'get_balance',
      'get_order_status',
      'cancel_order',
      'drop_tables',
      'GET_BALANCE',
      '__proto__',
      'toString',
      'graphql',
    ),
    arguments: fc.oneof(
      { weight: 6, arbitrary: fc.oneof(fitting, payment, page).map((value) => JSON.stringify(value)) },
      { weight: 3, arbitrary: fc.tuple(fitting, forged).map(([a, b]) => JSON.stringify({ ...a, ...b })) },
      { weight: 3, arbitrary: forged.map((value) => JSON.stringify(value)) },
      {
        weight: 1,
        arbitrary: fc.constantFrom('', '{', '[]', 'null', '"x"', '{"orderId":', '{}}{', '{"orderId":1e400}'),
      },
    ),
  })
  return fc.oneof(sensible, senseless)
}

const of = (call: string, given: fc.Arbitrary<object>) =>
  given.map((value): Emitted => ({ call, arguments: JSON.stringify(value) }))
