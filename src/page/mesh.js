// The mesh, lit as `tessella render` lights it (cl/raster.cl) or, if its file says so, not lit; or its
// normals in the world's axes.

const MESH_VERTEX = `
layout(location = 0) in vec3 position;
layout(location = 1) in vec3 normal;
layout(location = 2) in vec4 colour;
layout(location = 3) in vec2 uv;
out vec3 towards;
out vec3 tint;
out vec2 place;

void main() {
    gl_Position = toClip(toView(position));
    towards = normal;
    // Vertex colours are linear in glTF; light is mixed as displayed, as in the command.
    vec3 c = colour.rgb;
    tint = mix(12.92 * c, 1.055 * pow(max(c, 1e-6), vec3(1.0 / 2.4)) - 0.055,
               vec3(greaterThan(c, vec3(0.0031308))));
    place = uv;
}`;

const MESH_FRAGMENT = `
uniform bool showNormals, isTextured, isUnlit;
uniform sampler2D image;
uniform vec3 key;
in vec3 towards;
in vec3 tint;
in vec2 place;
out vec4 result;

void main() {
    vec3 n = normalize(towards) * (gl_FrontFacing ? 1.0 : -1.0);
    vec3 world = vec3(n.x, -n.z, n.y);
    float light = 0.30 * max(dot(key, n), 0.0) + 0.30 * max(-dot(Z, n), 0.0) + 0.08 * world.z + 0.50;
    vec3 base = isTextured ? texture(image, place).rgb : tint;
    result = vec4(showNormals ? 0.5 * world + 0.5 : base * (isUnlit ? 1.0 : light), 1);
}`;

const KEY_LIGHT = [-0.45, -0.70, -0.60]; // in the view: from the upper left
const GREY = 0.604; // of a mesh without colours: 0.8 as displayed

function smoothNormals(positions, indices) {
    const normals = new Float32Array(positions.length);
    for (let i = 0; i < indices.length; i += 3) {
        const corners = [3 * indices[i], 3 * indices[i + 1], 3 * indices[i + 2]];
        const [a, b, c] = corners.map((at) => positions.subarray(at, at + 3));
        const u = [b[0] - a[0], b[1] - a[1], b[2] - a[2]];
        const v = [c[0] - a[0], c[1] - a[1], c[2] - a[2]];
        for (const at of corners) {
            normals[at] += u[1] * v[2] - u[2] * v[1];
            normals[at + 1] += u[2] * v[0] - u[0] * v[2];
            normals[at + 2] += u[0] * v[1] - u[1] * v[0];
        }
    }
    return normals;
}

class MeshDrawing {
    // `image` is a decoded picture or null.
    constructor(gl, mesh, image) {
        this.gl = gl;
        this.shader = linkProgram(gl, MESH_VERTEX, MESH_FRAGMENT);
        this.count = mesh.indices.length;
        this.isUnlit = mesh.isUnlit;
        this.texture = image && this.loadTexture(image);
        this.vertices = gl.createVertexArray();
        gl.bindVertexArray(this.vertices);
        this.addArray(0, mesh.positions, 3, gl.FLOAT);
        this.addArray(1, mesh.normals || smoothNormals(mesh.positions, mesh.indices), 3, gl.FLOAT);
        if (mesh.colours)
            this.addArray(2, mesh.colours, 4, gl.UNSIGNED_SHORT);
        if (mesh.uvs)
            this.addArray(3, mesh.uvs, 2, gl.FLOAT);
        gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
        gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, mesh.indices, gl.STATIC_DRAW);
        gl.bindVertexArray(null);
    }

    addArray(location, data, width, type) {
        const {gl} = this;
        gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
        gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
        gl.enableVertexAttribArray(location);
        gl.vertexAttribPointer(location, width, type, true, 0, 0);
    }

    loadTexture(image) {
        const {gl} = this, texture = gl.createTexture();
        gl.bindTexture(gl.TEXTURE_2D, texture);
        gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, image);
        gl.generateMipmap(gl.TEXTURE_2D);
        gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
        gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
        gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
        return texture;
    }

    draw(view, showNormals) {
        const {gl} = this, {program, at} = this.shader;
        const length = Math.hypot(...KEY_LIGHT);
        const key = [0, 1, 2].map((i) => KEY_LIGHT.reduce(
            (sum, value, row) => sum + value / length * view.rows[row][i], 0));
        gl.useProgram(program);
        setCamera(gl, at, view);
        gl.uniform3fv(at.key, key);
        gl.uniform1i(at.showNormals, showNormals);
        gl.uniform1i(at.isTextured, this.texture !== null);
        gl.uniform1i(at.isUnlit, this.isUnlit);
        gl.bindTexture(gl.TEXTURE_2D, this.texture);
        gl.enable(gl.DEPTH_TEST);
        gl.disable(gl.BLEND);
        gl.bindVertexArray(this.vertices);
        gl.vertexAttrib4f(2, GREY, GREY, GREY, 1);
        gl.drawElements(gl.TRIANGLES, this.count, gl.UNSIGNED_INT, 0);
        gl.bindVertexArray(null);
    }
}
