/** Every code that composition itself reports, and what to do about it. */
export const adviceByCode = {
  // apps
  APP_INVALID: 'Write behalf.json as { "name": "orders", "schema": "src/schema.graphql", "port": 4102 }.',
  APP_DUPLICATE: 'Give every app its own name and port.',
  NO_SUBGRAPHS: 'Add apps/<name>/behalf.json and the schema that it names.',
  SETTINGS_INVALID:
    'Write behalf.json in the root as { "subjectNames": ["^member_no$"], "scalars": { "Url": { "type": "string" } } }.',

  // schemas
  SYNTAX: 'Correct the syntax.',
  IDENTITY_NOT_LINKED:
    'Add to the schema: extend schema @link(url: "https://behalf.dev/identity/v0.1", import: ["@identity", "@owner", ...]).',
  DIRECTIVE_NOT_IMPORTED: 'Add the directive to the import list of the @link of its specification.',
  DIRECTIVE_RENAMED: 'Import the directive under its own name: subgraphs enforce it by that name.',
  DIRECTIVE_INVALID: 'Use the directive as its definition says.',
  DIRECTIVE_MISPLACED: 'Move the directive to where it means something.',
  DIRECTIVE_DEFINED: 'Remove the definition: linking the specification brings it.',
  SCOPES_EMPTY: 'Name at least one scope (policy) in every list: an empty list would let everybody in.',
  SPEC_UNSUPPORTED: 'Remove the feature: the gateway cannot execute a supergraph that has it.',

  // ownership
  OWNERSHIP_UNSAID: 'Say whose its objects are: @owner(field: "..."), @owned(through: "parent") or @public.',
  OWNERSHIP_TWICE: 'Keep one of @owner, @owned and @public.',
  OWNERSHIP_DISAGREES: 'Let all subgraphs say the same: whoever owns an object in one owns it in all.',
  CLAIM_UNKNOWN: 'Use "sub" (the user) or "tenant".',
  OWNED_WITHOUT_PARENT:
    'Reach it through an object that somebody owns, or give it @owner(field: "..."); @public if there is nothing of anybody in it.',
  NOT_NULLABLE: 'Remove the "!": when it is withheld it becomes null, and must not take its siblings along.',
  RULES_DISAGREE: 'Let all subgraphs that declare it say the same; what any of them asks is asked.',
  KEY_RESTRICTED:
    'Put the rule on the type, or key it by a field that nobody is refused: plans need keys whoever asks, and subgraphs refuse them like any field.',
  DELEGATES_TWICE: 'Let one subgraph declare the field that starts the agent.',
  APPROVES_TWICE: 'Let one subgraph declare the field by which users decide.',
  AGENT_TWICE: 'Name the agent differently: what a user lets an agent do is for the one subgraph that runs it.',

  // inputs
  SUBJECT_UNBOUND:
    'Fill it with a variable that is bound to the caller, such as $userId: ID! @subject, or leave it out of the tool.',
  SUBJECT_TYPE: 'Declare a bound variable as ID, ID!, String or String!, without a default.',
  SUBJECT_BY_NAME:
    'Mark the argument or input field @subject, so that it is filled from the caller; or @notSubject(reason: "...") if it names nobody.',
  PRINCIPAL_CHOSEN:
    'Start from `viewer`, or mark the argument @subject; @notSubject(reason: "...") if it cannot choose whose data is returned.',

  // tools
  TOOL_OPERATION: 'Write one named query or mutation, and nothing but fragments besides.',
  TOOL_INVALID: 'Correct the operation: it does not fit the composed graph.',
  TOOL_NAME: 'Name the operation after its file, in at most 64 letters, digits and underscores.',
  TOOL_DUPLICATE: 'Rename one of them: the name of a tool is unique in the whole graph.',
  TOOL_NOT_MARKED: 'Mark the operation with @tool.',
  TOOL_DESCRIPTION:
    'Put a description in """ before the operation: at most 1024 characters on what it does and when to use it.',
  TOOL_SUMMARY:
    'Say in @tool(summary: "Cancel order {orderId}") what the user is asked, in at most 300 characters, with every argument that a model gives in braces.',
  TOOL_DENIED_FIELD: 'Remove the field from the tool: @agent(access: DENY) keeps it from agents.',
  TOOL_ROOTS: 'Make one tool for each mutation field: a call is approved and performed as one.',
  TOOL_DIRECTIVE: 'Only @include, @skip, @tool and, on variables, @subject have a meaning in a tool.',
  SCALAR_UNMAPPED: 'Say in the root\'s behalf.json, under "scalars", which JSON Schema the scalar has.',
  SCALAR_OPEN:
    'Map the scalar to a text, number or boolean, or take an input type instead: inside an object a model could name anybody.',
  INPUT_RECURSIVE: 'Give the tool variables of its own for the parts it needs: a model fills no recursive input.',
  INPUT_TOO_DEEP: 'Give the tool variables of its own for the parts it needs: inputs nest at most 5 deep.',
  LIST_UNBOUNDED:
    'Bound it with `first`, `last` or `limit` (at most 100), fixed in the tool or as a variable with a default; or mark a list that is always short @listSize(assumedSize: 20) in the schema.',
  FIELD_NOT_GENERATABLE: 'Write the operation as a file in tools/: none can be generated for this field.',
} as const satisfies Record<string, string>

export type ProblemCode = keyof typeof adviceByCode

/** What to do about errors of Federation that have to do with who may see what. */
export const adviceOnFederation: Readonly<Record<string, string>> = {
  AUTH_REQUIREMENTS_APPLIED_ON_INTERFACE:
    'Put the rule on the object types that implement the interface: what they ask, the interface asks, too.',
  MISSING_TRANSITIVE_AUTH_REQUIREMENTS:
    'Give the field all rules of the fields that its @requires (@fromContext) names: it would tell of them to whom they are denied.',
}
