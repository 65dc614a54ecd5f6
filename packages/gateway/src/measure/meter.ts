import { createNoopMeter, type Meter, metrics } from '@opentelemetry/api'

/** Made after the SDK, if there is one: what instruments of a meter count before is nowhere. */
export const gatewayMeter = (): Meter => metrics.getMeter('@behalf/gateway')

/** Whether anybody is told of what is counted; where nobody is, nothing need be put in the way of a request. */
export const isMeasured = (): boolean => gatewayMeter() !== createNoopMeter()

/** Seconds, as the semantic conventions have the boundaries of `http.server.request.duration`. */
export const durationBoundaries = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
