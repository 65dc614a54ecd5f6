// This file is the complete public surface of @behalf/testing.
export { attackGateway, type GatewayUnderAttack } from './attack-gateway.ts'
export { attackSubgraph, type AttackOptions } from './attack-subgraph.ts'
export type { Owner } from './subgraph-attacks/aim-at.ts'
export type { TestAnswer, TestCaller } from './test-caller.ts'
export { testApproval, testArgumentsHash, testDelegation } from './test-approval.ts'
export { testIssuer, type Mint, type TestIssuer } from './test-issuer.ts'
export { testPrincipal, type TestClaims } from './test-principal.ts'
export { testSubgraph, type CreateSubgraph, type TestConfig, type TestSubgraph } from './test-subgraph.ts'
