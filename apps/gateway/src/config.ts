import { readGatewayConfig, type Environment, type GatewayConfig } from '@behalf/gateway/config'

export type Config = GatewayConfig

/** Reads the environment of this process. @throws an error that names every fault at once, and no value */
export const readConfig = (env: Environment = process.env): Config => readGatewayConfig(env)
