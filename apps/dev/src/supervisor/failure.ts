/** Why the system could not be started or go on, said for a person; shown without a stack. */
export class Failure extends Error {
  override readonly name = 'Failure'
}
