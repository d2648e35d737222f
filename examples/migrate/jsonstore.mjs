// What the other files import: calls of the command jsonstore. Each starts a process, which takes some milliseconds.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

// jsonstore runs a verb, and returns what it prints as a value. The error has the exit code in code, and the reason in stderr.
export async function jsonstore(...args) {
  const { stdout } = await run('jsonstore', args)
  return stdout === '' ? undefined : JSON.parse(stdout)
}

// update changes a document by a jq expression, in which the values are variables, and returns the new document.
export function update(file, expr, values = {}) {
  const variables = Object.entries(values).flatMap(([name, value]) => ['--argjson', name, JSON.stringify(value)])
  return jsonstore('update', file, '--expr', expr, '--return', 'new', ...variables)
}
