// This file is the complete public surface of @behalf/composition.
export type { Change, ChangeLevel } from './check/change.ts'
export { compareGraphs } from './check/compare-graphs.ts'
export { compose, type Composition } from './compose.ts'
export { editorSchemas, type EditorSchemas } from './editor-schemas.ts'
export { findApps, type App } from './find-apps.ts'
export { CompositionError, type Problem } from './problem.ts'
export { withUrls } from './with-urls.ts'
