// The look-at camera of `tessella render` (src/render/camera.c), which also orbits.
//
// Yaw, pitch, radius and field of view are those of the command, in the world's axes (z up). The
// files' axes have y up: (x, y, z) of the world is (x, z, -y) there.

const DEGREE = Math.PI / 180;
const PITCH_MAX = 89.9 * DEGREE;
const START = {yaw: 30 * DEGREE, pitch: 20 * DEGREE, radius: 2, fov: 40 * DEGREE};
const SPHERE = Math.sqrt(3) / 2; // around the unit cube

function dot(a, b) {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function fileAxes(v) {
    return [v[0], v[2], -v[1]];
}

class Camera {
    // `bounds` of what is shown, in the files' axes: {low, high}. What lies in the unit cube is seen
    // as the command shows it; for anything else the camera moves.
    constructor(bounds) {
        const inside = [0, 1, 2].every((i) => bounds.low[i] > -0.6 && bounds.high[i] < 0.6);
        const middle = [0, 1, 2].map((i) => (bounds.low[i] + bounds.high[i]) / 2);
        const half = [0, 1, 2].map((i) => (bounds.high[i] - bounds.low[i]) / 2);
        this.home = inside ? [0, 0, 0] : middle;
        this.unit = inside ? 1 : Math.max(Math.hypot(...half), 1e-6) / SPHERE;
        this.reset();
    }

    reset() {
        Object.assign(this, START);
        this.target = [...this.home];
        this.radius *= this.unit;
    }

    turn(yaw, pitch) {
        this.yaw = (this.yaw + yaw) % (2 * Math.PI);
        this.pitch = Math.min(Math.max(this.pitch + pitch, -PITCH_MAX), PITCH_MAX);
    }

    zoom(factor) {
        this.radius = Math.min(Math.max(this.radius * factor, 0.05 * this.unit), 20 * this.unit);
    }

    // By shares of the shorter side of the picture.
    move(right, down) {
        const {rows} = this.view(1, 1), width = 2 * this.radius * Math.tan(this.fov / 2);
        for (let i = 0; i < 3; i++)
            this.target[i] -= width * (right * rows[0][i] + down * rows[1][i]);
    }

    // World to view is rows * p + shift: x right, y down, z forward, in the files' axes. On a picture
    // of that size a point is at focal * x / z pixels from the middle.
    view(width, height) {
        const {yaw, pitch} = this;
        const back = [Math.sin(yaw) * Math.cos(pitch), Math.cos(yaw) * Math.cos(pitch),
                      Math.sin(pitch)];
        const x = [-Math.cos(yaw), Math.sin(yaw), 0], z = back.map((value) => -value);
        const y = [z[1] * x[2] - z[2] * x[1], z[2] * x[0] - z[0] * x[2],
                   z[0] * x[1] - z[1] * x[0]];
        const rows = [x, y, z].map(fileAxes);
        const shift = rows.map((row) => -dot(row, this.target));
        shift[2] += this.radius;
        const far = this.radius + 4 * this.unit;
        return {
            rows, shift, width, height, far,
            near: Math.max(this.radius - 2 * this.unit, 0.01 * this.unit),
            focal: Math.min(width, height) / 2 / Math.tan(this.fov / 2),
            tangent: Math.tan(this.fov / 2),
        };
    }
}
