// The look-at camera of `tessella render` (src/render/camera.c), which also orbits.
//
// Yaw, pitch, radius and field of view are those of the command, in the world's axes (z up). The
// files' axes have y up: (x, y, z) of the world is (x, z, -y) there.

const DEGREE = Math.PI / 180;
const PITCH_MAX = 89.9 * DEGREE;
const START = {yaw: 30 * DEGREE, pitch: 20 * DEGREE, fov: 40 * DEGREE};
const MARGIN = 1.15; // of a picture's side to the sphere around all that is shown
const SPHERE = Math.sqrt(3) / 2; // around the unit cube

function dot(a, b) {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function fileAxes(v) {
    return [v[0], v[2], -v[1]];
}

function boundsOf(clouds) {
    const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
    for (const cloud of clouds)
        for (let i = 0; i < cloud.length; i++) {
            const axis = i % 3;
            low[axis] = Math.min(low[axis], cloud[i]);
            high[axis] = Math.max(high[axis], cloud[i]);
        }
    return {low, high};
}

// The greatest distance from `middle`.
function reachOf(clouds, middle) {
    const [x, y, z] = middle;
    let square = 0;
    for (const cloud of clouds)
        for (let i = 0; i < cloud.length; i += 3)
            square = Math.max(square, (cloud[i] - x) ** 2 + (cloud[i + 1] - y) ** 2 +
                                      (cloud[i + 2] - z) ** 2);
    return Math.sqrt(square);
}

class Camera {
    // `clouds` are arrays of the places shown, in the files' axes. What lies in the unit cube turns
    // around the world's axis, as the command shows it; for anything else the camera moves. All of
    // it is in the picture from each side.
    constructor(clouds) {
        const {low, high} = boundsOf(clouds);
        const inside = [0, 1, 2].every((i) => low[i] > -0.6 && high[i] < 0.6);
        const middle = [0, 1, 2].map((i) => (low[i] + high[i]) / 2);
        const half = [0, 1, 2].map((i) => (high[i] - low[i]) / 2);
        this.home = inside ? [0, 0, 0] : middle;
        this.unit = inside ? 1 : Math.max(Math.hypot(...half), 1e-6) / SPHERE;
        const reach = Math.max(reachOf(clouds, this.home), 0.1 * this.unit);
        this.homeRadius = MARGIN * reach / Math.sin(START.fov / 2);
        this.reset();
    }

    reset() {
        Object.assign(this, START);
        this.target = [...this.home];
        this.radius = this.homeRadius;
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
