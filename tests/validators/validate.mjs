// What the Khronos validator says of GLB files: a JSON object, by path, of its issues.
// node validate.mjs FOLDER_WITH_NODE_MODULES FILE...
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [folder, ...paths] = process.argv.slice(2);
const validator = createRequire(join(folder, 'package.json'))('gltf-validator');
const issues = {};
for (const path of paths) {
    const data = new Uint8Array(readFileSync(path));
    const report = await validator.validateBytes(data, { maxIssues: 100 });
    issues[path] = report.issues.messages;
}
console.log(JSON.stringify(issues));
