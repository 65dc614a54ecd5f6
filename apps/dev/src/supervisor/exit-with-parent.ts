// Loaded into every child before its own script: however the supervisor ends, no child outlives it.
// A script that handles `disconnect` itself has `grace` milliseconds to end in its own way.
const grace = 5000

function end(): void {
  if (process.listenerCount('disconnect') === 0) process.exit(0)
  setTimeout(() => process.exit(1), grace).unref()
}

if (process.connected) process.once('disconnect', end)
// It was gone before anything could listen for that.
else end()
// Listening must not be what keeps a process alive that is done.
process.channel?.unref()
