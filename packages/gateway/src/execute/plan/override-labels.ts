/** `percent(12.5)`: in so many of a hundred requests. Of a label of another form nobody here knows whether it holds. */
const percent = /^percent\((\d+(?:\.\d+)?)\)$/

/**
 * Decides for one request which labels of progressive overrides (`@override(from:, label:)`) hold, all fields with one
 * label the same.
 *
 * @param random - from 0 to 1.
 */
export function activeLabels(labels: readonly string[], random: () => number): readonly string[] {
  return labels.filter((label) => random() * 100 < Number(percent.exec(label)?.[1] ?? 0))
}
