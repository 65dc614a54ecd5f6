/** Code for the test of the mutants: `kept` is guarded by `door.spec.ts`, `lost` by nobody. */
export function kept(age: number, guest: { name: string } | null, hosts: readonly string[]): string {
  if (age < 18) throw new Error('too young')
  const name = guest?.name ?? 'somebody'
  const isHost = hosts.includes(name) && age >= 21
  return isHost ? `${name} (host)` : name
}

export function lost(age: number, isKnown: boolean): number {
  if (age < 18) {
    age = 0
    throw new Error('too young')
  }
  return isKnown ? age : 0
}
