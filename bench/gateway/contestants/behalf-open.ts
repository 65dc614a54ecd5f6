// Asked by nobody who is signed in, with no rule for any field.
process.env['OPEN'] = 'yes'
await import('./behalf.ts')
export {}
