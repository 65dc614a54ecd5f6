import { type GraphQLSchema, isAbstractType, isInterfaceType, isObjectType } from 'graphql'

/** Whether an object that says it is of type `typename` is of type `condition`. */
export type IsOfType = (typename: string, condition: string) => boolean

/** @param schema - the full one: plans ask for types that clients do not see. */
export const createIsOfType =
  (schema: GraphQLSchema): IsOfType =>
  (typename, condition) => {
    if (typename === condition) return true
    const type = schema.getType(typename)
    const conditional = schema.getType(condition)
    return (
      (isObjectType(type) || isInterfaceType(type)) &&
      isAbstractType(conditional) &&
      schema.isSubType(conditional, type)
    )
  }
