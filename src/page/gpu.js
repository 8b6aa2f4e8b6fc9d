// What both programs share: compiling, and the camera's uniforms.

const CAMERA_GLSL = `#version 300 es
precision highp float;
precision highp int;
uniform vec3 X, Y, Z;  // rows of the rotation to the view
uniform vec3 shift;
uniform vec2 size;     // of the picture in pixels
uniform vec2 range;    // of depths
uniform float focal, tangent;

vec3 toView(vec3 p) {
    return vec3(dot(X, p), dot(Y, p), dot(Z, p)) + shift;
}

vec4 toClip(vec3 v) {
    float slope = (range.y + range.x) / (range.y - range.x);
    float offset = -2.0 * range.x * range.y / (range.y - range.x);
    return vec4(2.0 * focal * v.xy * vec2(1, -1) / size, slope * v.z + offset, v.z);
}
`;

function compile(gl, kind, source) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost())
        throw new Error(gl.getShaderInfoLog(shader));
    return shader;
}

// {program, at}: `at` has the places of uniforms by name.
function linkProgram(gl, vertex, fragment) {
    const program = gl.createProgram();
    gl.attachShader(program, compile(gl, gl.VERTEX_SHADER, CAMERA_GLSL + vertex));
    gl.attachShader(program, compile(gl, gl.FRAGMENT_SHADER, CAMERA_GLSL + fragment));
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost())
        throw new Error(gl.getProgramInfoLog(program));
    const at = {};
    const count = gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS);
    for (let i = 0; i < count; i++) {
        const {name} = gl.getActiveUniform(program, i);
        at[name] = gl.getUniformLocation(program, name);
    }
    return {program, at};
}

// An unused uniform has no place, which WebGL takes as "do nothing".
function setCamera(gl, at, view) {
    gl.uniform3fv(at.X, view.rows[0]);
    gl.uniform3fv(at.Y, view.rows[1]);
    gl.uniform3fv(at.Z, view.rows[2]);
    gl.uniform3fv(at.shift, view.shift);
    gl.uniform2f(at.size, view.width, view.height);
    gl.uniform2f(at.range, view.near, view.far);
    gl.uniform1f(at.focal, view.focal);
    gl.uniform1f(at.tangent, view.tangent);
}
