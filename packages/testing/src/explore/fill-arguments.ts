import { readSubject, type ScopeSets } from '@behalf/identity'
import {
  getNamedType,
  type GraphQLArgument,
  type GraphQLInputType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isRequiredArgument,
  isRequiredInputField,
} from 'graphql'
import type { Field } from './declared-rules.ts'

/** What to put where a value is asked for. */
export interface Values {
  /** For a `@subject`. */
  readonly subject: (place: SubjectPlace) => string
  /** Ids of objects that are there, by the name of their type. */
  readonly ids: ReadonlyMap<string, string>
}

/** Where an argument names a principal. */
export interface SubjectPlace {
  /** The argument and the fields within it, such as `input.userId`. */
  readonly path: string
  readonly claim: string
  readonly unless: ScopeSets
}

/** What arguments and input fields have in common. */
type Input = Pick<GraphQLArgument, 'name' | 'astNode' | 'type' | 'defaultValue'>

/** The arguments that a field cannot do without, and every `@subject`, as text: `(id: "ord_1")`, or nothing. */
export function fillArguments(field: Field, { subject: subjectAt, ids }: Values): string {
  const filled = field.args
    .filter((argument) => isRequiredArgument(argument) || subjectsIn(argument, '', []).length > 0)
    .map((argument) => `${argument.name}: ${valueOf(argument, '', [])}`)
  return filled.length === 0 ? '' : `(${filled.join(', ')})`

  function valueOf(input: Input, before: string, within: readonly string[]): string {
    const path = before + input.name
    const subject = input.astNode ? readSubject(input.astNode) : null
    const known = input.name === 'id' ? ids.get(getNamedType(field.type).name) : undefined
    return literalOf(input.type, subject ? subjectAt({ path, ...subject }) : known, path, within)
  }

  function literalOf(
    type: GraphQLInputType,
    text: string | undefined,
    path: string,
    within: readonly string[],
  ): string {
    if (isNonNullType(type)) return literalOf(type.ofType, text, path, within)
    if (isListType(type)) return `[${literalOf(type.ofType, text, path, within)}]`
    if (isEnumType(type)) return type.getValues()[0]?.name ?? 'null'
    if (isInputObjectType(type)) {
      const inner = [...within, type.name]
      const fields = Object.values(type.getFields())
        .filter((input) => isRequiredInputField(input) || subjectsIn(input, '', inner).length > 0)
        .map((input) => `${input.name}: ${valueOf(input, `${path}.`, inner)}`)
      return `{${fields.join(', ')}}`
    }
    return text === undefined ? (samples[type.name] ?? '"text"') : JSON.stringify(text)
  }
}

/** A value of each scalar that not every text is one of. */
const samples: Readonly<Record<string, string>> = {
  Int: '1',
  Float: '1.5',
  Boolean: 'true',
  Decimal: '"1.00"',
  DateTime: '"2026-03-01T09:30:00.000Z"',
}

/** Every `@subject` in a field's arguments, however deep. */
export const subjectsOf = (field: Field): SubjectPlace[] =>
  field.args.flatMap((argument) => subjectsIn(argument, '', []))

function subjectsIn(input: Input, before: string, within: readonly string[]): SubjectPlace[] {
  const path = before + input.name
  const subject = input.astNode ? readSubject(input.astNode) : null
  if (subject) return [{ path, ...subject }]
  const type = getNamedType(input.type)
  if (!isInputObjectType(type) || within.includes(type.name)) return []
  const inner = [...within, type.name]
  return Object.values(type.getFields()).flatMap((field) => subjectsIn(field, `${path}.`, inner))
}
