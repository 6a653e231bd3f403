// Native addons make typed arrays of the outer realm, and onnxruntime checks them with instanceof: share the classes.
import { TestEnvironment } from 'jest-environment-node';

export default class extends TestEnvironment {
  constructor(...args) {
    super(...args);
    Object.assign(this.global, { Float32Array, Uint16Array, BigInt64Array, Int32Array, Float64Array });
  }
}
