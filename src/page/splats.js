// Splats: a quad each, projected and blended from back to front as in cl/splat.cl.

const SPLATS_VERTEX = `
uniform highp usampler2D table; // two texels a splat: position, colours; rotation, scales
layout(location = 0) in uint index;
flat out vec4 paint; // colour, opacity
out vec2 offset;     // from the middle, in standard deviations

const float FILTER = 0.1; // pixels^2
const float LEAST = 1e-6;

vec3 unpackColour(uint word) {
    vec3 bytes = vec3(word & 255u, word >> 8 & 255u, word >> 16 & 255u);
    return max(0.5 + 0.28209479177387814 * (bytes / 255.0 - 0.5) / 0.15, 0.0);
}

// x, y, z, w: all but the largest, from the last to the first.
vec4 unpackRotation(uint word) {
    int largest = int(word >> 30);
    float rest = 0.0;
    vec4 q = vec4(0);
    for (int i = 3; i >= 0; i--) {
        if (i == largest)
            continue;
        float value = float(word & 511u) / 511.0 * 0.70710678;
        q[i] = (word & 512u) != 0u ? -value : value;
        rest += value * value;
        word >>= 10;
    }
    q[largest] = sqrt(max(1.0 - rest, 0.0));
    return q;
}

void main() {
    ivec2 at = ivec2(int(index & 1023u) * 2, int(index >> 10));
    uvec4 first = texelFetch(table, at, 0), second = texelFetch(table, at + ivec2(1, 0), 0);
    vec3 p = toView(uintBitsToFloat(first.xyz));
    uvec3 steps = uvec3(second.y & 255u, second.y >> 8 & 255u, second.y >> 16 & 255u);
    vec3 s = exp(vec3(steps) / 16.0 - 10.0);
    vec4 q = unpackRotation(second.x);
    float opacity = float(first.w >> 24) / 255.0;
    gl_Position = vec4(0, 0, 2, 1); // outside
    if (p.z < range.x || opacity == 0.0)
        return;

    vec3 a0 = s.x * vec3(1.0 - 2.0 * (q.y * q.y + q.z * q.z), 2.0 * (q.x * q.y + q.w * q.z),
                         2.0 * (q.x * q.z - q.w * q.y));
    vec3 a1 = s.y * vec3(2.0 * (q.x * q.y - q.w * q.z), 1.0 - 2.0 * (q.x * q.x + q.z * q.z),
                         2.0 * (q.y * q.z + q.w * q.x));
    vec3 a2 = s.z * vec3(2.0 * (q.x * q.z + q.w * q.y), 2.0 * (q.y * q.z - q.w * q.x),
                         1.0 - 2.0 * (q.x * q.x + q.y * q.y));
    // Rows of M = J R diag(s); the covariance on the picture is M M^T.
    vec2 edge = 1.3 * tangent * size / min(size.x, size.y);
    vec2 slope = clamp(p.xy / p.z, -edge, edge);
    vec3 mx = X - slope.x * Z, my = Y - slope.y * Z;
    float k = focal / p.z;
    vec3 m0 = k * vec3(dot(mx, a0), dot(mx, a1), dot(mx, a2));
    vec3 m1 = k * vec3(dot(my, a0), dot(my, a1), dot(my, a2));
    float xx = dot(m0, m0), xy = dot(m0, m1), yy = dot(m1, m1);
    vec3 minors = cross(m0, m1);
    float det0 = dot(minors, minors);
    float det1 = det0 + FILTER * (xx + yy) + FILTER * FILTER;
    opacity *= det0 > LEAST ? sqrt(det0 / (det1 + LEAST) + LEAST) : 0.0;
    if (opacity < 1.0 / 255.0)
        return;

    // Axes of the ellipse.
    float mid = 0.5 * (xx + yy) + FILTER, difference = 0.5 * (xx - yy);
    float root = sqrt(difference * difference + xy * xy);
    vec2 axis = difference > 0.0 ? vec2(difference + root, xy) : vec2(xy, root - difference);
    axis = root > 1e-9 ? normalize(axis) : vec2(1, 0);
    float reach = sqrt(2.0 * log(255.0 * opacity)); // there alpha is 1 / 255
    offset = reach * vec2((gl_VertexID & 1) * 2 - 1, (gl_VertexID >> 1) * 2 - 1);
    vec2 away = offset.x * sqrt(mid + root) * axis +
                offset.y * sqrt(max(mid - root, 0.0)) * vec2(-axis.y, axis.x);
    vec2 pixels = k * p.xy + away;
    gl_Position = vec4(2.0 * pixels * vec2(1, -1) / size, 0, 1);
    paint = vec4(unpackColour(first.w), opacity);
}`;

const SPLATS_FRAGMENT = `
flat in vec4 paint;
in vec2 offset;
out vec4 result;

void main() {
    float alpha = min(0.99, paint.a * exp(-0.5 * dot(offset, offset)));
    if (alpha < 1.0 / 255.0)
        discard;
    result = vec4(paint.rgb * alpha, alpha);
}`;

const SPLATS_A_ROW = 1024; // of the table
const SORT_KEYS = 1 << 16;

// A counting sort by view depth, from back to front, into `order`.
class DepthOrder {
    constructor(splats) {
        this.positions = splats.positions;
        this.order = new Uint32Array(splats.count);
        this.keys = new Uint16Array(splats.count);
        this.starts = new Uint32Array(SORT_KEYS + 1);
        this.depths = new Float32Array(splats.count);
        this.direction = null;
    }

    // False if the order of the last time still holds.
    update(direction) {
        if (this.direction && this.direction.every((value, i) => value === direction[i]))
            return false;
        this.direction = direction;
        const {positions, order, keys, starts, depths} = this, count = order.length;
        const [x, y, z] = direction;
        let near = Infinity, far = -Infinity;
        for (let i = 0; i < count; i++) {
            const depth =
                x * positions[3 * i] + y * positions[3 * i + 1] + z * positions[3 * i + 2];
            depths[i] = depth;
            if (depth < near)
                near = depth;
            if (depth > far)
                far = depth;
        }
        const scale = far > near ? (SORT_KEYS - 1) / (far - near) : 0;
        starts.fill(0);
        for (let i = 0; i < count; i++) {
            keys[i] = (far - depths[i]) * scale;
            starts[keys[i] + 1]++;
        }
        for (let key = 0; key < SORT_KEYS; key++)
            starts[key + 1] += starts[key];
        for (let i = 0; i < count; i++)
            order[starts[keys[i]]++] = i;
        return true;
    }
}

class SplatsDrawing {
    constructor(gl, splats) {
        this.gl = gl;
        this.shader = linkProgram(gl, SPLATS_VERTEX, SPLATS_FRAGMENT);
        this.order = new DepthOrder(splats);
        this.table = this.loadTable(splats);
        this.vertices = gl.createVertexArray();
        this.indices = gl.createBuffer();
        gl.bindVertexArray(this.vertices);
        gl.bindBuffer(gl.ARRAY_BUFFER, this.indices);
        gl.enableVertexAttribArray(0);
        gl.vertexAttribIPointer(0, 1, gl.UNSIGNED_INT, 0, 0);
        gl.vertexAttribDivisor(0, 1);
        gl.bindVertexArray(null);
    }

    loadTable(splats) {
        const {gl} = this, rows = Math.max(Math.ceil(splats.count / SPLATS_A_ROW), 1);
        if (rows > gl.getParameter(gl.MAX_TEXTURE_SIZE))
            throw new Error("More splats than this graphics device holds");
        const words = new Uint32Array(8 * SPLATS_A_ROW * rows);
        const floats = new Float32Array(words.buffer);
        for (let i = 0; i < splats.count; i++) {
            floats.set(splats.positions.subarray(3 * i, 3 * i + 3), 8 * i);
            words[8 * i + 3] = splats.colours[i];
            words[8 * i + 4] = splats.rotations[i];
            words[8 * i + 5] = splats.scales[i];
        }
        const table = gl.createTexture();
        gl.bindTexture(gl.TEXTURE_2D, table);
        gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32UI, 2 * SPLATS_A_ROW, rows, 0, gl.RGBA_INTEGER,
                      gl.UNSIGNED_INT, words);
        gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
        gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
        return table;
    }

    draw(view) {
        const {gl, order} = this, {program, at} = this.shader;
        gl.useProgram(program);
        setCamera(gl, at, view);
        gl.bindTexture(gl.TEXTURE_2D, this.table);
        gl.disable(gl.DEPTH_TEST);
        gl.enable(gl.BLEND);
        gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
        gl.bindVertexArray(this.vertices);
        if (order.update(view.rows[2])) {
            gl.bindBuffer(gl.ARRAY_BUFFER, this.indices);
            gl.bufferData(gl.ARRAY_BUFFER, order.order, gl.DYNAMIC_DRAW);
        }
        gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, order.order.length);
        gl.bindVertexArray(null);
    }
}
