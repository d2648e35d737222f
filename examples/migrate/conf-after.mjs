// The same with jsonstore, on the file that conf has written: node conf-after.mjs FILE TIMES
import { jsonstore } from './jsonstore.mjs'

const [file, times] = process.argv.slice(2)
for (let i = 0; i < Number(times); i++) {
  await jsonstore('incr', file, 'visits')
}
