// The page: reads the files, switches between drawings, draws when something changed.
//
// The fragment of the address chooses what is shown, and how: #splats&yaw=30&pitch=20&radius=2&fov=40
// as in `tessella render`; "bare" hides all but the picture.

const TURN_A_SECOND = 30 * DEGREE;

class Viewer {
    constructor(screen, camera, drawings) {
        this.screen = screen;
        this.camera = camera;
        this.drawings = drawings; // by mode: {isSampled, draw(view)}
        this.mode = Object.keys(drawings)[0];
        this.turnedAt = 0; // ms; 0: does not turn by itself
        this.isAsked = false;
        this.ask = this.ask.bind(this);
    }

    ask() {
        if (!this.isAsked)
            requestAnimationFrame((now) => this.drawFrame(now));
        this.isAsked = true;
    }

    drawFrame(now) {
        this.isAsked = false;
        if (this.turnedAt) {
            this.camera.turn((now - this.turnedAt) / 1000 * TURN_A_SECOND, 0);
            this.turnedAt = now;
            this.ask();
        }
        this.draw();
    }

    draw() {
        this.screen.fit();
        const {width, height} = this.screen.canvas, drawing = this.drawings[this.mode];
        const view = this.camera.view(width, height);
        this.screen.draw(drawing.isSampled, () => drawing.draw(view));
    }

    show(mode) {
        if (!this.drawings[mode])
            return;
        this.mode = mode;
        for (const button of document.querySelectorAll("#modes button"))
            button.setAttribute("aria-pressed", button.dataset.mode === mode);
        this.ask();
    }

    switchTurning() {
        this.turnedAt = this.turnedAt ? 0 : performance.now();
        this.ask();
    }

    followFragment() {
        const wanted = new URLSearchParams(location.hash.slice(1));
        for (const name of ["yaw", "pitch", "radius", "fov"]) {
            const value = parseFloat(wanted.get(name));
            if (isFinite(value))
                this.camera[name] = name === "radius" ? value : value * DEGREE;
        }
        document.body.classList.toggle("bare", wanted.has("bare"));
        const mode = Object.keys(this.drawings).find((name) => wanted.has(name));
        this.show(mode || this.mode);
    }
}

async function makeDrawings(gl, meshFile, splatsFile, clouds, facts) {
    const drawings = {};
    const mesh = meshFile && parseGlb(meshFile.bytes);
    if (mesh) {
        // As it is: no colour management, and no turning by what the picture says about itself.
        const image = mesh.image && await createImageBitmap(
            mesh.image, {colorSpaceConversion: "none", premultiplyAlpha: "none"});
        const drawing = new MeshDrawing(gl, mesh, image);
        drawings.mesh = {isSampled: true, draw: (view) => drawing.draw(view, false)};
        drawings.normals = {isSampled: true, draw: (view) => drawing.draw(view, true)};
        clouds.push(mesh.positions);
        facts.push(`${(mesh.indices.length / 3).toLocaleString("en")} faces`);
    }
    if (splatsFile) {
        const splats = parseSpz(await gunzip(splatsFile.bytes));
        const drawing = new SplatsDrawing(gl, splats);
        drawings.splats = {isSampled: false, draw: (view) => drawing.draw(view)};
        clouds.push(splats.positions);
        facts.push(`${splats.count.toLocaleString("en")} splats`);
    }
    return drawings;
}

async function start() {
    const meshFile = embeddedFile("glb"), splatsFile = embeddedFile("spz");
    if (meshFile)
        addDownload("glb", meshFile);
    if (splatsFile)
        addDownload("spz", splatsFile);
    const screen = new Screen(document.getElementById("view"));
    const clouds = [], facts = [];
    const drawings = await makeDrawings(screen.gl, meshFile, splatsFile, clouds, facts);
    if (!Object.keys(drawings).length)
        throw new Error("There is nothing to show: the mesh has no faces");
    const camera = new Camera(clouds), viewer = new Viewer(screen, camera, drawings);
    for (const button of document.querySelectorAll("#modes button")) {
        button.hidden = !drawings[button.dataset.mode];
        button.addEventListener("click", () => viewer.show(button.dataset.mode));
    }
    listenToPointers(screen.canvas, camera, viewer.ask);
    listenToKeys(camera, viewer.ask, {
        "1": () => viewer.show("mesh"),
        "2": () => viewer.show("normals"),
        "3": () => viewer.show("splats"),
        " ": () => viewer.switchTurning(),
    });
    window.addEventListener("hashchange", () => viewer.followFragment());
    // At once: a frame later the last picture would have been shown stretched.
    new ResizeObserver(() => viewer.draw()).observe(screen.canvas);
    document.getElementById("facts").textContent = facts.join(", ");
    document.getElementById("message").hidden = true;
    viewer.followFragment();
}

start().catch((error) => {
    const message = document.getElementById("message");
    message.hidden = false;
    message.textContent = error.message;
    document.getElementById("modes").hidden = true;
});
