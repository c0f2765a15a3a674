// sRGB and CIELAB under D65, as common/lab.py has them. Pure.
const WHITE = [0.950456, 1, 1.088754];
const TO_XYZ = [0.412453, 0.35758, 0.180423, 0.212671, 0.71516, 0.072169, 0.019334, 0.119193, 0.950227];
const TO_LINEAR = [3.240479, -1.53715, -0.498535, -0.969256, 1.875991, 0.041556, 0.055648, -0.204043, 1.057311];
const EDGE = (6 / 29) ** 3;
const SLOPE = 1 / (3 * (6 / 29) ** 2);
const STEPS = 4096;
const FLOOR = -2e-4;
const CEILING = 1 + 2e-3;
const FIT_STEPS = 7;

const LINEAR = Float64Array.from({ length: 256 }, (_, i) => {
  const value = i / 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
});
const GAMMA = Uint8ClampedArray.from({ length: STEPS + 1 }, (_, i) => {
  const value = i / STEPS;
  return 255 * (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055);
});

const root = (value) => (value > EDGE ? Math.cbrt(value) : value * SLOPE + 4 / 29);
const power = (value) => (value > 6 / 29 ? value ** 3 : (value - 4 / 29) / SLOPE);

/** CIELAB of an sRGB colour, 0..255, into `out`: L 0..100. */
export function toLab(r, g, b, out) {
  const [lr, lg, lb] = [LINEAR[r], LINEAR[g], LINEAR[b]];
  const x = root((TO_XYZ[0] * lr + TO_XYZ[1] * lg + TO_XYZ[2] * lb) / WHITE[0]);
  const y = root(TO_XYZ[3] * lr + TO_XYZ[4] * lg + TO_XYZ[5] * lb);
  const z = root((TO_XYZ[6] * lr + TO_XYZ[7] * lg + TO_XYZ[8] * lb) / WHITE[2]);
  out[0] = 116 * y - 16;
  out[1] = 500 * (x - y);
  out[2] = 200 * (y - z);
  return out;
}

const linear = [0, 0, 0];

function toLinear(l, a, b) {
  const y = (l + 16) / 116;
  const [x, white, z] = [power(y + a / 500) * WHITE[0], power(y), power(y - b / 200) * WHITE[2]];
  for (let i = 0; i < 3; i += 1) linear[i] = TO_LINEAR[3 * i] * x + TO_LINEAR[3 * i + 1] * white + TO_LINEAR[3 * i + 2] * z;
  return linear.every((value) => value >= FLOOR && value <= CEILING);
}

/** Write a CIELAB colour as sRGB to data[i..i+2]; outside sRGB its chroma shrinks until it fits, so that L stays. */
export function writeRgb(l, a, b, data, i) {
  if (!toLinear(l, a, b)) {
    let [low, high] = [0, 1];
    for (let step = 0; step < FIT_STEPS; step += 1) {
      const middle = (low + high) / 2;
      if (toLinear(l, middle * a, middle * b)) low = middle;
      else high = middle;
    }
    toLinear(l, low * a, low * b);
  }
  for (let c = 0; c < 3; c += 1) data[i + c] = GAMMA[Math.round(Math.min(1, Math.max(0, linear[c])) * STEPS)];
}

export const toHex = (rgb) => `#${rgb.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
export const fromHex = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
