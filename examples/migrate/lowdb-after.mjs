// The same with jsonstore, on the file that lowdb has written: node lowdb-after.mjs FILE TIMES
import { update } from './jsonstore.mjs'

const [file, times] = process.argv.slice(2)
for (let i = 0; i < Number(times); i++) {
  await update(file, '.visits += $by', { by: 1 })
}
