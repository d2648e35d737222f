// The same with jsonstore: node writefile-after.mjs FILE TIMES
import { jsonstore } from './jsonstore.mjs'

const [file, times] = process.argv.slice(2)
for (let i = 0; i < Number(times); i++) {
  await jsonstore('incr', file, 'visits')
}
