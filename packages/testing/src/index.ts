// This file is the complete public surface of @behalf/testing.
export { attackGateway, type GatewayUnderAttack } from './attack-gateway.ts'
export { attackSubgraph, type AttackOptions } from './attack-subgraph.ts'
export type { Owner } from './subgraph-attacks/aim-at.ts'
export type { Operation } from './subgraph-attacks/attack.ts'
export type {
  AgentClaims,
  SignedRequest,
  TamperedToken,
  TestAnswer,
  TestCaller,
  TestData,
  TestError,
} from './test-caller.ts'
export {
  testIssuer,
  type Mint,
  type TestIssuer,
  type TestIssuerOptions,
  type TokenChange,
  type TokenTexts,
} from './test-issuer.ts'
export { testPrincipal, type TestClaims } from './test-principal.ts'
export {
  testSubgraph,
  type CreateSubgraph,
  type OtherSchema,
  type TestConfig,
  type TestSubgraph,
  type TestSubgraphOptions,
} from './test-subgraph.ts'
