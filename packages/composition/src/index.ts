// This file is the complete public surface of @behalf/composition.
export { compose, type Composition } from './compose.ts'
export { findApps, type App } from './find-apps.ts'
export { CompositionError, type Problem } from './problem.ts'
