// In Node, Deno and Bun: `process.mjs ADDRESS FOLDER`, models in directories below the folder.
import * as library from 'ddim-wasm';
import { serveCases } from '../client.mjs';

const [base, folder] = process.argv.slice(2);
await serveCases({ library, base, place: (model) => model && `${folder}/${model}` });
