// A counter in conf: node conf-before.mjs FILE TIMES
import { basename, dirname } from 'node:path'
import Conf from 'conf'

const [file, times] = process.argv.slice(2)
const config = new Conf({ cwd: dirname(file), configName: basename(file, '.json') })
for (let i = 0; i < Number(times); i++) {
  config.set('visits', config.get('visits') + 1)
}
